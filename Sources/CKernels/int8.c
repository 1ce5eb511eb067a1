// Row-wise 8-bit weights, as LLM.int8() holds them (Dettmers et al., "LLM.int8()", 2022): a row is its absolute maximum / 127
// times whole numbers from -127 to 127.
#include "vector.h"

// bitsandbytes' own digits of 1 / 127.
static const float ONE_127TH = 7.874015718698502e-3f;

INLINE float row_absmax(long n, const float *x) {
  float best = 0;
  for (long i = 0; i < n; i++) {
    float magnitude = fabsf(x[i]);
    best = magnitude > best ? magnitude : best;
  }
  return best;
}

KERNEL void ck_int8_quantise(long rows, long columns, const float *x, long x_stride, int8_t *codes, float *absmax) {
  const float shifter = 12582912.0f;  // 1.5 · 2^23: adding it rounds to a whole number, ties to even
  for (long r = 0; r < rows; r++) {
    const float *from = x + r * x_stride;
    int8_t *to = codes + r * columns;
    absmax[r] = row_absmax(columns, from);
    // The reciprocal first, as PyTorch divides a number by a tensor.
    float factor = absmax[r] > 0 ? 1.0f / absmax[r] * 127.0f : 0.0f;
    for (long i = 0; i < columns; i++) to[i] = (int8_t)(int32_t)((from[i] * factor + shifter) - shifter);
  }
}

// The order of the two products is bitsandbytes', so that the bits are.
KERNEL void ck_int8_to_f32(
    long rows, long columns, const int8_t *codes, long stride, const float *absmax, float *out, long out_stride) {
  for (long r = 0; r < rows; r++) {
    for (long i = 0; i < columns; i++) {
      out[r * out_stride + i] = (float)codes[r * stride + i] * absmax[r] * ONE_127TH;
    }
  }
}

KERNEL void ck_int8_to_bf16(
    long rows, long columns, const int8_t *codes, long stride, const float *absmax, uint16_t *out, long out_stride) {
  for (long r = 0; r < rows; r++) {
    for (long i = 0; i < columns; i++) {
      out[r * out_stride + i] = float_to_bfloat16((float)codes[r * stride + i] * absmax[r] * ONE_127TH);
    }
  }
}

// y (rows, n) ← y · scale of its column + bias: what is left to do after a product with the codes alone.
KERNEL void ck_int8_finish(
    long rows, long n, const float *absmax, const float *bias, float *y, long y_stride) {
  for (long t = 0; t < rows; t++) {
    float *to = y + t * y_stride;
    for (long o = 0; o < n; o++) {
      float value = to[o] * absmax[o] * ONE_127TH;
      to[o] = bias ? value + bias[o] : value;
    }
  }
}
