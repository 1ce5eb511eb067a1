// Products of a few rows with a large weight: bound by reading the weight, so each one is read once.
#include "vector.h"

// How a weight's numbers become floats.
#define FLOAT_LANES(pointer) LOAD(pointer)
#define FLOAT_ONE(value) (value)
#define BFLOAT16_ONE(value) bfloat16_to_float(value)
#define INT8_ONE(value) ((float)(value))

// How far ahead of their use weights are fetched, in numbers.
enum { FETCHED = 2048 };

// One row of the weight against x rows 0..<ROWS: rows are read one after another, a single stream through memory. Each sum has four times
// sixteen lanes, whatever the number of rows, so a row's result does not depend on the other rows.
#define FEW_ROWS(KIND, TYPE, LANES, ONE, ROWS)                                                                       \
  INLINE void one_##KIND##_##ROWS(                                                                                   \
      long k, const float *x, long x_stride, const TYPE *w, float bias, float *y, long y_stride) {                   \
    FUSED                                                                                                            \
    lanes sum[ROWS][4];                                                                                              \
    for (int t = 0; t < ROWS; t++) {                                                                                 \
      for (int j = 0; j < 4; j++) sum[t][j] = (lanes)0.0f;                                                           \
    }                                                                                                                \
    long i = 0;                                                                                                      \
    for (; i + 64 <= k; i += 64) {                                                                                   \
      _Pragma("unroll") for (int j = 0; j < 4; j++) {                                                                \
        lanes line = LANES(w + i + 16 * j);                                                                          \
        __builtin_prefetch(w + i + 16 * j + FETCHED);                                                                \
        _Pragma("unroll") for (int t = 0; t < ROWS; t++) sum[t][j] += LOAD(x + t * x_stride + i + 16 * j) * line;    \
      }                                                                                                              \
    }                                                                                                                \
    for (; i + 16 <= k; i += 16) {                                                                                   \
      lanes line = LANES(w + i);                                                                                     \
      for (int t = 0; t < ROWS; t++) sum[t][0] += LOAD(x + t * x_stride + i) * line;                                 \
    }                                                                                                                \
    for (int t = 0; t < ROWS; t++) {                                                                                 \
      lanes all = (sum[t][0] + sum[t][1]) + (sum[t][2] + sum[t][3]);                                                 \
      float total = SUM_OF_LANES(all);                                                                               \
      for (long j = i; j < k; j++) total += x[t * x_stride + j] * ONE(w[j]);                                         \
      y[t * y_stride] = total + bias;                                                                                \
    }                                                                                                                \
  }

#define LINEAR_FEW(NAME, KIND, TYPE, LANES, ONE)                                                                     \
  FEW_ROWS(KIND, TYPE, LANES, ONE, 1)                                                                                \
  FEW_ROWS(KIND, TYPE, LANES, ONE, 2)                                                                                \
  FEW_ROWS(KIND, TYPE, LANES, ONE, 3)                                                                                \
  FEW_ROWS(KIND, TYPE, LANES, ONE, 4)                                                                                \
  KERNEL void NAME(                                                                                                  \
      long rows, long n, long k, const float *x, long x_stride, const TYPE *w, long w_stride, const float *bias,     \
      float *y, long y_stride) {                                                                                     \
    for (long o = 0; o < n; o++) {                                                                                   \
      const TYPE *row = w + o * w_stride;                                                                            \
      float some_bias = bias ? bias[o] : 0;                                                                          \
      for (long t = 0; t < rows; t += 4) {                                                                           \
        const float *from = x + t * x_stride;                                                                        \
        float *to = y + t * y_stride + o;                                                                            \
        switch (rows - t) {                                                                                          \
          case 1: one_##KIND##_1(k, from, x_stride, row, some_bias, to, y_stride); break;                            \
          case 2: one_##KIND##_2(k, from, x_stride, row, some_bias, to, y_stride); break;                            \
          case 3: one_##KIND##_3(k, from, x_stride, row, some_bias, to, y_stride); break;                            \
          default: one_##KIND##_4(k, from, x_stride, row, some_bias, to, y_stride);                                  \
        }                                                                                                            \
      }                                                                                                              \
    }                                                                                                                \
  }

LINEAR_FEW(ck_linear_few, floats, float, FLOAT_LANES, FLOAT_ONE)
LINEAR_FEW(ck_linear_few_bf16, bfloat16s, uint16_t, BFLOAT16_LANES, BFLOAT16_ONE)
LINEAR_FEW(ck_linear_few_int8, int8s, int8_t, INT8_LANES, INT8_ONE)
