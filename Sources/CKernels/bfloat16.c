// Between float32 and bfloat16, which is the upper half of its bits.
#include "vector.h"

// To the nearest, ties to even; a NaN stays a NaN (its lower half might be all that tells it from infinity).
KERNEL void ck_to_bf16(long rows, long columns, const float *x, long x_stride, uint16_t *out, long out_stride) {
  for (long t = 0; t < rows; t++) {
    const float *from = x + t * x_stride;
    uint16_t *to = out + t * out_stride;
    for (long i = 0; i < columns; i++) {
      uint32_t bits;
      memcpy(&bits, from + i, 4);
      uint32_t rounded = (bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16;
      uint32_t quiet = (bits >> 16) | 0x40u;
      to[i] = (uint16_t)((bits & 0x7FFFFFFFu) > 0x7F800000u ? quiet : rounded);
    }
  }
}

KERNEL void ck_round_to_bf16(long rows, long columns, float *x, long x_stride, uint16_t *out, long out_stride) {
  for (long t = 0; t < rows; t++) {
    float *from = x + t * x_stride;
    uint16_t *to = out + t * out_stride;
    for (long i = 0; i < columns; i++) {
      uint32_t bits;
      memcpy(&bits, from + i, 4);
      uint32_t rounded = (bits + 0x7FFFu + ((bits >> 16) & 1u)) & 0xFFFF0000u;
      uint32_t quiet = (bits & 0xFFFF0000u) | 0x400000u;
      rounded = (bits & 0x7FFFFFFFu) > 0x7F800000u ? quiet : rounded;
      memcpy(from + i, &rounded, 4);
      to[i] = (uint16_t)(rounded >> 16);
    }
  }
}

KERNEL void ck_transpose_bf16(
    long rows, long columns, const uint16_t *x, long x_stride, uint16_t *out, long out_stride) {
  typedef uint16_t halves __attribute__((ext_vector_type(16), aligned(2), may_alias));
  long whole_rows = rows / 16 * 16, whole_columns = columns / 16 * 16;
  for (long t = 0; t < whole_rows; t += 16) {
    for (long i = 0; i < whole_columns; i += 16) {
      halves lines[16], others[16];
      for (long l = 0; l < 16; l++) lines[l] = *(const halves *)(x + (t + l) * x_stride + i);
      TURN(lines, others)
      for (long l = 0; l < 16; l++) *(halves *)(out + (i + l) * out_stride + t) = lines[l];
    }
  }
  for (long i = 0; i < columns; i++) {
    for (long t = i < whole_columns ? whole_rows : 0; t < rows; t++) out[i * out_stride + t] = x[t * x_stride + i];
  }
}

KERNEL void ck_add_transposed(long rows, long columns, const float *x, long x_stride, float *y, long y_stride) {
  for (long t = 0; t < rows; t++) {
    for (long i = 0; i < columns; i++) y[t * y_stride + i] += x[i * x_stride + t];
  }
}

KERNEL void ck_from_bf16(long n, const uint16_t *x, float *out) {
  for (long i = 0; i < n; i++) out[i] = bfloat16_to_float(x[i]);
}
