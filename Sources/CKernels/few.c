// Products of a few rows with a large weight: bound by reading the weight, so each one is read once.
#include "vector.h"

// How a weight's numbers become floats.
#define FLOAT_LANES(pointer) LOAD(pointer)
#define FLOAT_ONE(value) (value)
#define BFLOAT16_ONE(value) bfloat16_to_float(value)
#define INT8_ONE(value) ((float)(value))

// The weights `o` … `o` + 3 against x rows 0..<ROWS: every weight is loaded once, and four streams of them keep memory busy.
// Each sum has sixteen lanes, whatever the number of rows, so a row's result does not depend on the other rows.
#define FEW_ROWS(KIND, TYPE, LANES, ONE, ROWS)                                                                \
  INLINE void four_##KIND##_##ROWS(                                                                           \
      long k, const float *x, long x_stride, const TYPE *const w[4], const float *bias, float *y, long y_stride, \
      int weights) {                                                                                         \
    FUSED                                                                                                    \
    lanes sum[ROWS][4];                                                                                      \
    for (int t = 0; t < ROWS; t++) {                                                                         \
      for (int o = 0; o < 4; o++) sum[t][o] = (lanes)0.0f;                                                   \
    }                                                                                                        \
    long i = 0;                                                                                              \
    for (; i + 16 <= k; i += 16) {                                                                           \
      lanes line[4] = {LANES(w[0] + i), LANES(w[1] + i), LANES(w[2] + i), LANES(w[3] + i)};                  \
      _Pragma("unroll") for (int t = 0; t < ROWS; t++) {                                                     \
        lanes from = LOAD(x + t * x_stride + i);                                                             \
        _Pragma("unroll") for (int o = 0; o < 4; o++) sum[t][o] += from * line[o];                           \
      }                                                                                                      \
    }                                                                                                        \
    for (int t = 0; t < ROWS; t++) {                                                                         \
      for (int o = 0; o < weights; o++) {                                                                    \
        float total = SUM_OF_LANES(sum[t][o]);                                                               \
        for (long j = i; j < k; j++) total += x[t * x_stride + j] * ONE(w[o][j]);                            \
        y[t * y_stride + o] = bias ? total + bias[o] : total;                                                \
      }                                                                                                      \
    }                                                                                                        \
  }

#define LINEAR_FEW(NAME, KIND, TYPE, LANES, ONE)                                                              \
  FEW_ROWS(KIND, TYPE, LANES, ONE, 1)                                                                        \
  FEW_ROWS(KIND, TYPE, LANES, ONE, 2)                                                                        \
  FEW_ROWS(KIND, TYPE, LANES, ONE, 3)                                                                        \
  FEW_ROWS(KIND, TYPE, LANES, ONE, 4)                                                                        \
  KERNEL void NAME(                                                                                          \
      long rows, long n, long k, const float *x, long x_stride, const TYPE *w, long w_stride, const float *bias, \
      float *y, long y_stride) {                                                                             \
    for (long o = 0; o < n; o += 4) {                                                                        \
      int weights = n - o < 4 ? (int)(n - o) : 4;                                                            \
      const TYPE *four[4];                                                                                   \
      for (int j = 0; j < 4; j++) four[j] = w + (o + (j < weights ? j : 0)) * w_stride;                      \
      const float *some_bias = bias ? bias + o : NULL;                                                       \
      for (long t = 0; t < rows; t += 4) {                                                                   \
        const float *from = x + t * x_stride;                                                                \
        float *to = y + t * y_stride + o;                                                                    \
        switch (rows - t) {                                                                                  \
          case 1: four_##KIND##_1(k, from, x_stride, four, some_bias, to, y_stride, weights); break;         \
          case 2: four_##KIND##_2(k, from, x_stride, four, some_bias, to, y_stride, weights); break;         \
          case 3: four_##KIND##_3(k, from, x_stride, four, some_bias, to, y_stride, weights); break;         \
          default: four_##KIND##_4(k, from, x_stride, four, some_bias, to, y_stride, weights); break;        \
        }                                                                                                    \
      }                                                                                                      \
    }                                                                                                        \
  }

LINEAR_FEW(ck_linear_few, floats, float, FLOAT_LANES, FLOAT_ONE)
LINEAR_FEW(ck_linear_few_bf16, bfloat16s, uint16_t, BFLOAT16_LANES, BFLOAT16_ONE)
LINEAR_FEW(ck_linear_few_int8, int8s, int8_t, INT8_LANES, INT8_ONE)
