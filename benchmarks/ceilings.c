// What this machine can do at most, as one JSON object: the rate of oneDNN's bfloat16 products with weights in its own packed layout, on the
// shapes of a dense training step, and the rate at which all cores read memory.
//
// usage: ceilings TOKENS LAYERS HIDDEN INTERMEDIATE KEYS VOCABULARY     (KEYS: columns of the key and value projections)
// build: cc -O3 -march=native ceilings.c -o ceilings -ldnnl -lgomp -lm
#define _GNU_SOURCE
#include <omp.h>
#include <oneapi/dnnl/dnnl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

static void check(dnnl_status_t status, const char *what) {
  if (status != dnnl_success) {
    fprintf(stderr, "ceilings: %s: oneDNN says %d\n", what, (int)status);
    exit(1);
  }
}

#if DNNL_VERSION_MAJOR >= 3
#error "written for oneDNN 2.x, Debian 12's"
#endif

static dnnl_engine_t engine;
static dnnl_stream_t stream;

// Seconds of one product (m,k) · (k,n) with packed weights, the mean over copies that don't fit the caches together.
static double product(long m, long n, long k) {
  long copies = 1 + (96L << 20) / (n * k * 2);
  dnnl_memory_desc_t x, w, y;
  dnnl_dims_t dx = {m, k}, dw = {k, n}, dy = {m, n};
  check(dnnl_memory_desc_init_by_tag(&x, 2, dx, dnnl_bf16, dnnl_ab), "x");
  check(dnnl_memory_desc_init_by_tag(&w, 2, dw, dnnl_bf16, dnnl_format_tag_any), "w");
  check(dnnl_memory_desc_init_by_tag(&y, 2, dy, dnnl_f32, dnnl_ab), "y");
  dnnl_matmul_desc_t matmul;
  check(dnnl_matmul_desc_init(&matmul, &x, &w, NULL, &y), "matmul");
  dnnl_primitive_desc_t plan;
  check(dnnl_primitive_desc_create(&plan, &matmul, NULL, engine, NULL), "plan");
  dnnl_primitive_t primitive;
  check(dnnl_primitive_create(&primitive, plan), "primitive");
  const dnnl_memory_desc_t *packed = dnnl_primitive_desc_query_md(plan, dnnl_query_weights_md, 0);
  size_t bytes = dnnl_memory_desc_get_size(packed);
  dnnl_memory_t mx, my, *mw = calloc((size_t)copies, sizeof *mw);
  void *xs = aligned_alloc(64, (size_t)(m * k * 2 + 63) / 64 * 64), *ys = aligned_alloc(64, (size_t)(m * n * 4 + 63) / 64 * 64);
  memset(xs, 0, (size_t)(m * k * 2));
  memset(ys, 0, (size_t)(m * n * 4));
  check(dnnl_memory_create(&mx, &x, engine, xs), "memory");
  check(dnnl_memory_create(&my, &y, engine, ys), "memory");
  void **weights = calloc((size_t)copies, sizeof *weights);
  for (long c = 0; c < copies; c++) {
    weights[c] = aligned_alloc(64, (bytes + 63) / 64 * 64);
    memset(weights[c], 0, bytes);
    check(dnnl_memory_create(&mw[c], packed, engine, weights[c]), "memory");
  }
  double best = 1e9;
  for (int round = 0; round < 3; round++) {
    double start = now();
    for (long c = 0; c < copies; c++) {
      dnnl_exec_arg_t arguments[3] = {{DNNL_ARG_SRC, mx}, {DNNL_ARG_WEIGHTS, mw[c]}, {DNNL_ARG_DST, my}};
      check(dnnl_primitive_execute(primitive, stream, 3, arguments), "execute");
    }
    check(dnnl_stream_wait(stream), "wait");
    double each = (now() - start) / copies;
    if (each < best) best = each;
  }
  for (long c = 0; c < copies; c++) {
    dnnl_memory_destroy(mw[c]);
    free(weights[c]);
  }
  free(weights);
  free(mw);
  dnnl_memory_destroy(mx);
  dnnl_memory_destroy(my);
  free(xs);
  free(ys);
  dnnl_primitive_destroy(primitive);
  dnnl_primitive_desc_destroy(plan);
  return best;
}

// Bytes a second that all cores read.
static double reading(void) {
  long words = 1L << 27;
  uint64_t *memory = aligned_alloc(4096, (size_t)words * 8);
  memset(memory, 1, (size_t)words * 8);
  double best = 1e9;
  volatile uint64_t kept = 0;
  for (int round = 0; round < 5; round++) {
    double start = now();
    uint64_t sum = 0;
#pragma omp parallel for reduction(^ : sum)
    for (long i = 0; i < words; i++) sum ^= memory[i];
    kept = sum;
    double each = now() - start;
    if (each < best) best = each;
  }
  (void)kept;
  free(memory);
  return (double)words * 8 / best;
}

int main(int count, char **words) {
  if (count != 7) {
    fprintf(stderr, "usage: ceilings TOKENS LAYERS HIDDEN INTERMEDIATE KEYS VOCABULARY\n");
    return 64;
  }
  long tokens = atol(words[1]), layers = atol(words[2]), hidden = atol(words[3]), inner = atol(words[4]);
  long keys = atol(words[5]), vocabulary = atol(words[6]);
  check(dnnl_engine_create(&engine, dnnl_cpu, 0), "engine");
  check(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags), "stream");
  // (out, in, how many) of a layer; forward and input gradient of each.
  long shapes[4][3] = {{hidden, hidden, 2}, {keys, hidden, 2}, {inner, hidden, 2}, {hidden, inner, 1}};
  double seconds = 0, parameters = 0;
  for (int s = 0; s < 4; s++) {
    long out = shapes[s][0], in = shapes[s][1], many = shapes[s][2] * layers;
    seconds += many * (product(tokens, out, in) + product(tokens, in, out));
    parameters += (double)many * out * in;
  }
  seconds += product(tokens, vocabulary, hidden) + product(tokens, hidden, vocabulary);
  parameters += (double)vocabulary * hidden;
  double flops = 4 * parameters * tokens;
  printf(
      "{\"packed_flops_per_second\": %.6g, \"step_flops\": %.6g, \"step_floor_seconds\": %.4f, \"read_bytes_per_second\": %.6g, "
      "\"threads\": %d}\n",
      flops / seconds, flops, seconds, reading(), omp_get_max_threads());
  return 0;
}
