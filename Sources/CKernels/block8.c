// 8-bit codes with a scale for every 16 or 32 of them: how GGUF's Q8_0, Q5_0 and Q6_K hold their numbers.
#include "vector.h"

KERNEL void ck_block8_codes(long n, const float *x, const float *scales, long shift, int8_t *codes) {
  const float shifter = 12582912.0f;  // 1.5 · 2^23: adding it rounds to a whole number
  for (long i = 0; i < n; i++) {
    float scale = scales[i >> shift];
    float code = scale != 0 ? x[i] / scale : 0;
    codes[i] = (int8_t)(int32_t)((code + shifter) - shifter);
  }
}

KERNEL void ck_block8_to_f32(
    long rows, long columns, const int8_t *codes, const float *scales, long first, long stride, long shift, float *out,
    long out_stride) {
  for (long r = 0; r < rows; r++) {
    for (long i = 0; i < columns; i++) {
      long at = first + r * stride + i;
      out[r * out_stride + i] = (float)codes[at] * scales[at >> shift];
    }
  }
}

KERNEL void ck_block8_to_bf16(
    long rows, long columns, const int8_t *codes, const float *scales, long first, long stride, long shift,
    uint16_t *out, long out_stride) {
  for (long r = 0; r < rows; r++) {
    long at = first + r * stride;
    uint16_t *to = out + r * out_stride;
    for (long i = 0; i < columns; i++) {
      to[i] = float_to_bfloat16((float)codes[at + i] * scales[(at + i) >> shift]);
    }
  }
}

// How far ahead codes are fetched, in bytes.
enum { FETCHED = 4096 };

// One row of the weight against ROWS of x, 32 codes at a time: a single stream through memory.
#define FEW_BLOCK8(ROWS)                                                                                             \
  INLINE void one_block8_##ROWS(                                                                                     \
      long k, const float *x, long x_stride, const int8_t *codes, const float *scales, long shift, float bias, float *y,\
      long y_stride) {                                                                                               \
    FUSED                                                                                                            \
    lanes sum[ROWS][2];                                                                                              \
    for (int t = 0; t < ROWS; t++) sum[t][0] = sum[t][1] = (lanes)0.0f;                                              \
    long i = 0;                                                                                                      \
    for (; i + 32 <= k; i += 32) {                                                                                   \
      __builtin_prefetch(codes + i + FETCHED);                                                                       \
      _Pragma("unroll") for (int j = 0; j < 2; j++) {                                                                \
        lanes line = INT8_LANES(codes + i + 16 * j) * scales[(i + 16 * j) >> shift];                                 \
        _Pragma("unroll") for (int t = 0; t < ROWS; t++) sum[t][j] += LOAD(x + t * x_stride + i + 16 * j) * line;    \
      }                                                                                                              \
    }                                                                                                                \
    if (i < k) {                                                                                                     \
      lanes line = INT8_LANES(codes + i) * scales[i >> shift];                                                       \
      for (int t = 0; t < ROWS; t++) sum[t][0] += LOAD(x + t * x_stride + i) * line;                                 \
    }                                                                                                                \
    for (int t = 0; t < ROWS; t++) {                                                                                 \
      lanes both = sum[t][0] + sum[t][1];                                                                            \
      y[t * y_stride] = SUM_OF_LANES(both) + bias;                                                                   \
    }                                                                                                                \
  }

FEW_BLOCK8(1)
FEW_BLOCK8(2)
FEW_BLOCK8(3)
FEW_BLOCK8(4)

KERNEL void ck_linear_few_block8(
    long rows, long n, long k, const float *x, long x_stride, const int8_t *codes, const float *scales, long shift,
    const float *bias, float *y, long y_stride) {
  for (long o = 0; o < n; o++) {
    const int8_t *row = codes + o * k;
    const float *their_scales = scales + (o * k >> shift);
    float some_bias = bias ? bias[o] : 0;
    for (long t = 0; t < rows; t += 4) {
      const float *from = x + t * x_stride;
      float *to = y + t * y_stride + o;
      switch (rows - t) {
        case 1: one_block8_1(k, from, x_stride, row, their_scales, shift, some_bias, to, y_stride); break;
        case 2: one_block8_2(k, from, x_stride, row, their_scales, shift, some_bias, to, y_stride); break;
        case 3: one_block8_3(k, from, x_stride, row, their_scales, shift, some_bias, to, y_stride); break;
        default: one_block8_4(k, from, x_stride, row, their_scales, shift, some_bias, to, y_stride);
      }
    }
  }
}
