#pragma once
// What attention in float32 and in bfloat16 share: causal attention of one kv head, key blocks of 64, softmax kept up as blocks come by
// (Milakov & Gimelshein, "Online normalizer calculation for softmax", 2018; Dao et al., "FlashAttention", 2022). A "row" is one query head
// at one position; the `group` heads of a position are neighbours, so all of them use a packed key block while it is in cache.
#include "vector.h"

enum { KEYS = 64 };

static long padded(long n) { return (n + 15) / 16 * 16; }

static float *take(float **scratch, long floats) {
  float *start = *scratch;
  *scratch += padded(floats);
  return start;
}

static long smaller(long a, long b) { return a < b ? a : b; }

// How many of the n keys from `first` on query i sees.
static long keys_seen(const ck_attention_block *x, long i, long first, long n) {
  long seen = x->visible + i - first;
  return seen < 0 ? 0 : smaller(seen, n);
}

INLINE float largest_of(long n, const float *s) {
  lanes best = LOAD(s);
  long j = 16;
  if (n < 16) {
    float least = s[0];
    for (j = 1; j < n; j++) least = s[j] > least ? s[j] : least;
    return least;
  }
  for (; j + 16 <= n; j += 16) best = __builtin_elementwise_max(best, LOAD(s + j));
  float result = best[0];
  for (int l = 1; l < 16; l++) result = best[l] > result ? best[l] : result;
  for (; j < n; j++) result = s[j] > result ? s[j] : result;
  return result;
}

// s[0..<n] ← e^(factor · s − offset), zeros up to `end`; the sum of the n.
INLINE float exponentials(long n, long end, float *s, float factor, float offset) {
  FAST_SUMS
  float sum = 0;
  for (long j = 0; j < n; j++) {
    s[j] = vector_exp(s[j] * factor - offset);
    sum += s[j];
  }
  for (long j = n; j < end; j++) s[j] = 0;
  return sum;
}

// Takes one row's scores factor · s (n seen of `end`) into its running maximum, sum and output.
KERNEL static void online_softmax(
    long n, long end, float *s, float factor, float *maximum, float *sum, float *output, long width) {
  float old = *maximum;
  float best = largest_of(n, s) * factor;
  if (best < old) best = old;
  float shrink = vector_exp(old - best);
  *sum = *sum * shrink + exponentials(n, end, s, factor, best);
  *maximum = best;
  for (long c = 0; c < width; c++) output[c] *= shrink;
}

// For one row: p ← e^(factor · s − lse) for the keys seen; ds ← p · (dp − mean), both zero from there to `end`.
KERNEL static void softmax_backward(long n, long end, float factor, float lse, float mean, float *s, float *ds) {
  FUSED
  for (long j = 0; j < n; j++) {
    float p = vector_exp(s[j] * factor - lse);
    s[j] = p;
    ds[j] = p * (ds[j] - mean);
  }
  for (long j = n; j < end; j++) s[j] = ds[j] = 0;
}

KERNEL static float row_product(long n, const float *a, const float *b) {
  FAST_SUMS
  float sum = 0;
  for (long c = 0; c < n; c++) sum += a[c] * b[c];
  return sum;
}

// Adds n rows (n, width), times factor, to the rows of `to` that the keys came from.
static void scatter_add(
    const ck_attention_block *x, long first, long n, const float *from, long width, float factor, float *to, long stride) {
  for (long j = 0; j < n; j++) {
    float *target = to + x->key_rows[first + j] * stride;
    for (long c = 0; c < x->head_size; c++) target[c] += from[j * width + c] * factor;
  }
}

// No key has been seen yet.
static void begin(long rows, float *maximum, float *sum, float *output, long width) {
  memset(output, 0, (size_t)(rows * width) * sizeof(float));
  for (long r = 0; r < rows; r++) {
    maximum[r] = -INFINITY;
    sum[r] = 0;
  }
}

// out ← output / sum, and log_sum_exp (null if not wanted), of the block's rows.
static void finish(
    const ck_attention_block *x, const float *output, long width, const float *maximum, const float *sum, float *out,
    long out_stride, float *log_sum_exp, long lse_stride) {
  for (long r = 0; r < x->queries * x->group; r++) {
    long row = x->first_query + r / x->group, head = r % x->group;
    float inverse = 1.0f / sum[r];
    float *target = out + row * out_stride + head * x->head_size;
    for (long c = 0; c < x->head_size; c++) target[c] = output[r * width + c] * inverse;
    if (log_sum_exp) log_sum_exp[row * lse_stride + head] = maximum[r] + logf(sum[r]);
  }
}

// Of the block's rows: mean ← rowsum(dO·O), and lse.
static void begin_backward(
    const ck_attention_block *x, const float *dout, long dout_stride, const float *out, long out_stride,
    const float *log_sum_exp, long lse_stride, float *mean, float *lse) {
  long group = x->group, d = x->head_size;
  for (long r = 0; r < x->queries * group; r++) {
    long row = x->first_query + r / group, head = r % group;
    mean[r] = row_product(d, dout + row * dout_stride + head * d, out + row * out_stride + head * d);
    lse[r] = log_sum_exp[row * lse_stride + head];
  }
}

// dq ← d_q · factor of the block's rows.
static void finish_backward(
    const ck_attention_block *x, const float *d_q, long width, float factor, float *dq, long dq_stride) {
  for (long r = 0; r < x->queries * x->group; r++) {
    float *target = dq + (x->first_query + r / x->group) * dq_stride + r % x->group * x->head_size;
    for (long c = 0; c < x->head_size; c++) target[c] = d_q[r * width + c] * factor;
  }
}
