// Steps that sum, or look for the largest, over a row.
#include "vector.h"

// Sums in float run over at most this many elements; longer ones are put together in double.
enum { BLOCK = 1024 };

// Sum of a[i]·b[i].
INLINE double dot_product(long n, const float *a, const float *b) {
  double total = 0;
  for (long start = 0; start < n; start += BLOCK) {
    FAST_SUMS
    long end = start + BLOCK < n ? start + BLOCK : n;
    float sum = 0;
    for (long i = start; i < end; i++) sum += a[i] * b[i];
    total += sum;
  }
  return total;
}

// The largest of n elements; NaN never wins; -inf of none.
INLINE float largest(long n, const float *x) {
  float best = -INFINITY;
  long i = 0;
  if (n >= 64) {
    lanes a = best, b = best, c = best, d = best;
    for (; i + 64 <= n; i += 64) {
      a = __builtin_elementwise_max(a, LOAD(x + i));
      b = __builtin_elementwise_max(b, LOAD(x + i + 16));
      c = __builtin_elementwise_max(c, LOAD(x + i + 32));
      d = __builtin_elementwise_max(d, LOAD(x + i + 48));
    }
    a = __builtin_elementwise_max(__builtin_elementwise_max(a, b), __builtin_elementwise_max(c, d));
    for (int j = 0; j < 16; j++) best = a[j] > best ? a[j] : best;
  }
  for (; i < n; i++) best = x[i] > best ? x[i] : best;
  return best;
}

KERNEL void ck_rms_norm(
    long rows, long columns, const float *x, long x_stride, const float *gain, float epsilon, float *y, long y_stride,
    float *inverse_rms, long inverse_stride) {
  for (long t = 0; t < rows; t++) {
    const float *in = x + t * x_stride;
    float *out = y + t * y_stride;
    float inverse = (float)(1.0 / sqrt(dot_product(columns, in, in) / (double)columns + (double)epsilon));
    for (long i = 0; i < columns; i++) out[i] = in[i] * inverse * gain[i];
    inverse_rms[t * inverse_stride] = inverse;
  }
}

// With n = x·s (s the inverse RMS) and h = dy·gain: dx = s · (h − n · mean(h·n)).
KERNEL void ck_rms_norm_backward(
    long rows, long columns, const float *dy, long dy_stride, const float *x, long x_stride, const float *gain,
    const float *inverse_rms, long inverse_stride, int accumulate, float *dx, long dx_stride) {
  for (long t = 0; t < rows; t++) {
    const float *d = dy + t * dy_stride, *in = x + t * x_stride;
    float *out = dx + t * dx_stride;
    float s = inverse_rms[t * inverse_stride];
    double total = 0;
    for (long start = 0; start < columns; start += BLOCK) {
      FAST_SUMS
      long end = start + BLOCK < columns ? start + BLOCK : columns;
      float sum = 0;
      for (long i = start; i < end; i++) sum += d[i] * gain[i] * in[i];
      total += sum;
    }
    float back = (float)(total * s * s / (double)columns);
    if (accumulate) {
      FUSED
      for (long i = 0; i < columns; i++) out[i] += s * (d[i] * gain[i] - in[i] * back);
    } else {
      FUSED
      for (long i = 0; i < columns; i++) out[i] = s * (d[i] * gain[i] - in[i] * back);
    }
  }
}

INLINE float sum_of_exponentials(long n, const float *x, float offset) {
  FAST_SUMS
  float sum = 0;
  for (long i = 0; i < n; i++) sum += vector_exp(x[i] - offset);
  return sum;
}

KERNEL void ck_cross_entropy(
    long rows, long columns, float *logits, long stride, const int32_t *targets, int write_gradient, float scale,
    float *loss) {
  for (long t = 0; t < rows; t++) {
    float *row = logits + t * stride;
    float best = -INFINITY;
    double sum = 0;
    // One pass over memory for both: when a block brings a larger maximum, the sum so far shrinks to it.
    for (long start = 0; start < columns; start += BLOCK) {
      long n = columns - start < BLOCK ? columns - start : BLOCK;
      float here = largest(n, row + start);
      if (here > best) {
        sum *= exp((double)best - (double)here);
        best = here;
      }
      sum += sum_of_exponentials(n, row + start, best);
    }
    loss[t] = (float)(log(sum) - ((double)row[targets[t]] - (double)best));
    if (!write_gradient) continue;
    float factor = (float)(scale / sum);
    for (long i = 0; i < columns; i++) row[i] = vector_exp(row[i] - best) * factor;
    row[targets[t]] -= scale;
  }
}

KERNEL void ck_softmax_block(
    long rows, long columns, const float *logits, long stride, float *maximum, float *sum, uint16_t *out, long out_stride,
    float *shrinking, long shrinking_stride, long width) {
  FAST_SUMS
  for (long t = 0; t < rows; t++) {
    const float *row = logits + t * stride;
    float before = maximum[t], best = largest(columns, row);
    if (best > before) {
      float shrink = vector_exp(before - best);
      sum[t] *= shrink;
      for (long i = 0; i < width; i++) shrinking[t * shrinking_stride + i] *= shrink;
      maximum[t] = best;
    } else {
      best = before;
    }
    float total = 0;
    if (out) {
      uint16_t *to = out + t * out_stride;
      for (long i = 0; i < columns; i++) {
        float p = vector_exp(row[i] - best);
        total += p;
        to[i] = float_to_bfloat16(p);
      }
    } else {
      total = sum_of_exponentials(columns, row, best);
    }
    sum[t] += total;
  }
}

KERNEL double ck_sum_of_squares(long n, const float *x) { return dot_product(n, x, x); }

KERNEL long ck_argmax(long n, const float *x) {
  float best = largest(n, x);
  for (long start = 0; start < n; start += 64) {
    long end = start + 64 < n ? start + 64 : n;
    int found = 0;
    for (long i = start; i < end; i++) found |= x[i] == best;
    if (!found) continue;
    for (long i = start; i < end; i++) {
      if (x[i] == best) return i;
    }
  }
  return 0;
}

// A number less itself is zero, but for NaN and infinity.
KERNEL long ck_first_not_finite(long n, const float *x) {
  for (long start = 0; start < n; start += BLOCK) {
    long end = start + BLOCK < n ? start + BLOCK : n;
    int found = 0;
    for (long i = start; i < end; i++) found |= x[i] - x[i] != 0.0f;
    if (!found) continue;
    for (long i = start; i < end; i++) {
      if (x[i] - x[i] != 0.0f) return i;
    }
  }
  return -1;
}
