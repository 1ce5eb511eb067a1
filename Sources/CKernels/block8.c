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
      float value = (float)codes[at + i] * scales[(at + i) >> shift];
      uint32_t bits;
      memcpy(&bits, &value, 4);
      to[i] = (uint16_t)((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
    }
  }
}

// How far ahead codes are fetched, in bytes.
enum { FETCHED = 8192 };

// As in few.c: four rows of the weight against ROWS of x, sixteen codes and one scale at a time.
#define FEW_BLOCK8(ROWS)                                                                                           \
  INLINE void four_block8_##ROWS(                                                                                \
      long k, const float *x, long x_stride, const int8_t *const codes[4], const float *const scales[4], long shift, \
      const float *bias, float *y, long y_stride, int weights) {                                                 \
    FUSED                                                                                                        \
    lanes sum[ROWS][4];                                                                                          \
    for (int t = 0; t < ROWS; t++) {                                                                             \
      for (int o = 0; o < 4; o++) sum[t][o] = (lanes)0.0f;                                                       \
    }                                                                                                            \
    for (long i = 0; i < k; i += 16) {                                                                           \
      lanes line[4];                                                                                             \
      _Pragma("unroll") for (int o = 0; o < 4; o++) {                                                            \
        __builtin_prefetch(codes[o] + i + FETCHED);                                                                \
        line[o] = INT8_LANES(codes[o] + i) * scales[o][i >> shift];                                              \
      }                                                                                                          \
      _Pragma("unroll") for (int t = 0; t < ROWS; t++) {                                                         \
        lanes from = LOAD(x + t * x_stride + i);                                                                 \
        _Pragma("unroll") for (int o = 0; o < 4; o++) sum[t][o] += from * line[o];                               \
      }                                                                                                          \
    }                                                                                                            \
    for (int t = 0; t < ROWS; t++) {                                                                             \
      for (int o = 0; o < weights; o++) {                                                                        \
        float total = SUM_OF_LANES(sum[t][o]);                                                                   \
        y[t * y_stride + o] = bias ? total + bias[o] : total;                                                    \
      }                                                                                                          \
    }                                                                                                            \
  }

FEW_BLOCK8(1)
FEW_BLOCK8(2)
FEW_BLOCK8(3)
FEW_BLOCK8(4)

KERNEL void ck_linear_few_block8(
    long rows, long n, long k, const float *x, long x_stride, const int8_t *codes, const float *scales, long shift,
    const float *bias, float *y, long y_stride) {
  for (long o = 0; o < n; o += 4) {
    int weights = n - o < 4 ? (int)(n - o) : 4;
    const int8_t *four[4];
    const float *their_scales[4];
    for (int j = 0; j < 4; j++) {
      long start = (o + (j < weights ? j : 0)) * k;
      four[j] = codes + start;
      their_scales[j] = scales + (start >> shift);
    }
    const float *some_bias = bias ? bias + o : NULL;
    for (long t = 0; t < rows; t += 4) {
      const float *from = x + t * x_stride;
      float *to = y + t * y_stride + o;
      switch (rows - t) {
        case 1: four_block8_1(k, from, x_stride, four, their_scales, shift, some_bias, to, y_stride, weights); break;
        case 2: four_block8_2(k, from, x_stride, four, their_scales, shift, some_bias, to, y_stride, weights); break;
        case 3: four_block8_3(k, from, x_stride, four, their_scales, shift, some_bias, to, y_stride, weights); break;
        default: four_block8_4(k, from, x_stride, four, their_scales, shift, some_bias, to, y_stride, weights);
      }
    }
  }
}
