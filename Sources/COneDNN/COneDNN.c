#define _GNU_SOURCE
#include "COneDNN.h"

#include <oneapi/dnnl/dnnl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

// libgomp's, declared here because omp.h belongs to another compiler. Its setting is per thread.
extern void omp_set_num_threads(int count);

static void stay_on_this_thread(void) {
  static _Thread_local int ready = 0;
  if (!ready) {
    omp_set_num_threads(1);
    ready = 1;
  }
}

// A signal handler that runs in the middle of a product of oneDNN 2.6 (Ctrl-C) makes its generated code write where it must not; the heap is
// broken then, now and then. Seen with sgemm, see SignalTests. So signals wait until a product is done; those of faults are let through.

static void hold_signals(sigset_t *before) {
  static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT};
  sigset_t all;
  sigfillset(&all);
  for (unsigned i = 0; i < sizeof faults / sizeof *faults; i++) sigdelset(&all, faults[i]);
  pthread_sigmask(SIG_BLOCK, &all, before);
}

static void release_signals(const sigset_t *before) { pthread_sigmask(SIG_SETMASK, before, NULL); }

int onednn_sgemm(
    int transpose_a, int transpose_b, long m, long n, long k, float alpha, const float *a, long lda, const float *b,
    long ldb, float beta, float *c, long ldc) {
  stay_on_this_thread();
  sigset_t before;
  hold_signals(&before);
  dnnl_status_t status =
      dnnl_sgemm(transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
  release_signals(&before);
  return (int)status;
}

int onednn_is_fast_here(void) {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
  return 0;
#endif
}

int onednn_has_bf16_here(void) {
#if defined(__x86_64__)
  unsigned a, b, c, d;
  // The builtin also asks the system whether it saves the registers; the two bits below say what they can do.
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw")) return 0;
  if (!__get_cpuid_count(7, 1, &a, &b, &c, &d)) return 0;
  return (a >> 5) & 1;  // AVX512-BF16, which every CPU with AMX-BF16 has too
#else
  return 0;
#endif
}

// The code of recent shapes. The number of rows differs from batch to batch, so shapes come and go.

typedef struct {
  long m, n, k, ldx, ldw, ldy;
  int transpose_w, accumulate;
} shape;

typedef struct {
  shape shape;
  dnnl_primitive_t primitive;
  /// Calls that are executing it now: it stays until they are done.
  int users;
  unsigned long last_use;
} slot;

enum { SLOTS = 256 };
static slot slots[SLOTS];
static unsigned long uses = 0;
static pthread_mutex_t slots_lock = PTHREAD_MUTEX_INITIALIZER;

static dnnl_engine_t engine = NULL;
static dnnl_status_t engine_status = dnnl_success;
static pthread_once_t engine_once = PTHREAD_ONCE_INIT;

static void make_engine(void) { engine_status = dnnl_engine_create(&engine, dnnl_cpu, 0); }

// The three matrices of a product; the type differs between the versions of the library.
#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t description;
#define DESCRIPTION(d) (d)
static dnnl_status_t describe(description *d, long rows, long columns, long row_step, long step, dnnl_data_type_t type) {
  dnnl_dims_t dims = {rows, columns}, strides = {row_step, step};
  return dnnl_memory_desc_create_with_strides(d, 2, dims, type, strides);
}
static void forget(description *d) {
  if (*d) dnnl_memory_desc_destroy(*d);
}
#else
typedef dnnl_memory_desc_t description;
#define DESCRIPTION(d) (&(d))
static dnnl_status_t describe(description *d, long rows, long columns, long row_step, long step, dnnl_data_type_t type) {
  dnnl_dims_t dims = {rows, columns}, strides = {row_step, step};
  return dnnl_memory_desc_init_by_strides(d, 2, dims, type, strides);
}
static void forget(description *d) { (void)d; }
#endif

static dnnl_status_t describe_all(const shape *s, description *x, description *w, description *y) {
  dnnl_status_t status = describe(x, s->m, s->k, s->ldx, 1, dnnl_bf16);
  if (status == dnnl_success) {
    status = s->transpose_w ? describe(w, s->k, s->n, 1, s->ldw, dnnl_bf16) : describe(w, s->k, s->n, s->ldw, 1, dnnl_bf16);
  }
  if (status == dnnl_success) status = describe(y, s->m, s->n, s->ldy, 1, dnnl_f32);
  return status;
}

static dnnl_status_t make_primitive(
    const shape *s, const description *x, const description *w, const description *y, dnnl_primitive_t *primitive) {
  dnnl_primitive_attr_t attributes = NULL;
  dnnl_post_ops_t after = NULL;
  dnnl_primitive_desc_t plan = NULL;
  dnnl_status_t status = dnnl_primitive_attr_create(&attributes);
  if (status == dnnl_success && s->accumulate) {
    status = dnnl_post_ops_create(&after);
#if DNNL_VERSION_MAJOR >= 3
    if (status == dnnl_success) status = dnnl_post_ops_append_sum(after, 1.0f, 0, dnnl_data_type_undef);
#else
    if (status == dnnl_success) status = dnnl_post_ops_append_sum(after, 1.0f);
#endif
    if (status == dnnl_success) status = dnnl_primitive_attr_set_post_ops(attributes, after);
  }
  if (status == dnnl_success) {
#if DNNL_VERSION_MAJOR >= 3
    status = dnnl_matmul_primitive_desc_create(&plan, engine, *x, *w, NULL, *y, attributes);
#else
    dnnl_matmul_desc_t matmul;
    status = dnnl_matmul_desc_init(&matmul, x, w, NULL, y);
    if (status == dnnl_success) status = dnnl_primitive_desc_create(&plan, &matmul, attributes, engine, NULL);
#endif
  }
  if (status == dnnl_success) status = dnnl_primitive_create(primitive, plan);
  if (plan) dnnl_primitive_desc_destroy(plan);
  if (after) dnnl_post_ops_destroy(after);
  if (attributes) dnnl_primitive_attr_destroy(attributes);
  return status;
}

/// The kept code of a shape with one more user; NULL where there is none.
static slot *find(const shape *s) {
  for (int i = 0; i < SLOTS; i++) {
    if (slots[i].primitive && memcmp(&slots[i].shape, s, sizeof *s) == 0) {
      slots[i].users++;
      slots[i].last_use = ++uses;
      return &slots[i];
    }
  }
  return NULL;
}

/// Keeps new code with one user, in place of the longest unused. NULL where all are in use; the caller then keeps it.
static slot *keep(const shape *s, dnnl_primitive_t primitive) {
  slot *oldest = NULL;
  for (int i = 0; i < SLOTS; i++) {
    if (slots[i].users > 0) continue;
    if (!oldest || slots[i].last_use < oldest->last_use) oldest = &slots[i];
  }
  if (!oldest) return NULL;
  if (oldest->primitive) dnnl_primitive_destroy(oldest->primitive);
  oldest->shape = *s;
  oldest->primitive = primitive;
  oldest->users = 1;
  oldest->last_use = ++uses;
  return oldest;
}

static dnnl_status_t execute(
    dnnl_primitive_t primitive, const description *x, const description *w, const description *y, const void *xs,
    const void *ws, void *ys) {
  static _Thread_local dnnl_stream_t stream = NULL;
  dnnl_memory_t memories[3] = {NULL, NULL, NULL};
  dnnl_status_t status = stream ? dnnl_success : dnnl_stream_create(&stream, engine, dnnl_stream_default_flags);
  if (status == dnnl_success) status = dnnl_memory_create(&memories[0], DESCRIPTION(*x), engine, (void *)xs);
  if (status == dnnl_success) status = dnnl_memory_create(&memories[1], DESCRIPTION(*w), engine, (void *)ws);
  if (status == dnnl_success) status = dnnl_memory_create(&memories[2], DESCRIPTION(*y), engine, ys);
  if (status == dnnl_success) {
    dnnl_exec_arg_t arguments[3] = {
        {DNNL_ARG_SRC, memories[0]}, {DNNL_ARG_WEIGHTS, memories[1]}, {DNNL_ARG_DST, memories[2]}};
    sigset_t before;
    hold_signals(&before);
    status = dnnl_primitive_execute(primitive, stream, 3, arguments);
    if (status == dnnl_success) status = dnnl_stream_wait(stream);
    release_signals(&before);
  }
  for (int i = 0; i < 3; i++) {
    if (memories[i]) dnnl_memory_destroy(memories[i]);
  }
  return status;
}

int onednn_bf16_product(
    int transpose_w, long m, long n, long k, const uint16_t *x, long ldx, const uint16_t *w, long ldw, int accumulate,
    float *y, long ldy) {
  stay_on_this_thread();
  pthread_once(&engine_once, make_engine);
  if (engine_status != dnnl_success) return (int)engine_status;
  shape s;
  memset(&s, 0, sizeof s);  // shapes are compared byte for byte
  s.m = m;
  s.n = n;
  s.k = k;
  s.ldx = ldx;
  s.ldw = ldw;
  s.ldy = ldy;
  s.transpose_w = transpose_w != 0;
  s.accumulate = accumulate != 0;

  description dx, dw, dy;
  memset(&dx, 0, sizeof dx);
  memset(&dw, 0, sizeof dw);
  memset(&dy, 0, sizeof dy);
  dnnl_status_t status = describe_all(&s, &dx, &dw, &dy);
  dnnl_primitive_t primitive = NULL;
  slot *kept = NULL;
  if (status == dnnl_success) {
    pthread_mutex_lock(&slots_lock);
    kept = find(&s);
    if (kept) {
      primitive = kept->primitive;
    } else {
      // Made under the lock: the other thread mostly wants the same code.
      status = make_primitive(&s, &dx, &dw, &dy, &primitive);
      if (status == dnnl_success) kept = keep(&s, primitive);
    }
    pthread_mutex_unlock(&slots_lock);
  }
  if (status == dnnl_success) status = execute(primitive, &dx, &dw, &dy, x, w, y);
  if (kept) {
    pthread_mutex_lock(&slots_lock);
    kept->users--;
    pthread_mutex_unlock(&slots_lock);
  } else if (primitive) {
    dnnl_primitive_destroy(primitive);
  }
  forget(&dx);
  forget(&dw);
  forget(&dy);
  return (int)status;
}
