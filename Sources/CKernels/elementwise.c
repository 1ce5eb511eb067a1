// Steps that treat each element, or each pair, on its own.
#include "vector.h"

KERNEL void ck_add(long rows, long columns, float alpha, const float *x, long x_stride, float *y, long y_stride) {
  FUSED
  for (long t = 0; t < rows; t++) {
    const float *from = x + t * x_stride;
    float *to = y + t * y_stride;
    for (long i = 0; i < columns; i++) to[i] += alpha * from[i];
  }
}

KERNEL void ck_scale(long rows, long columns, float factor, float *x, long x_stride) {
  for (long t = 0; t < rows; t++) {
    float *row = x + t * x_stride;
    for (long i = 0; i < columns; i++) row[i] *= factor;
  }
}

void ck_fill_rows(long rows, long columns, const float *row, float *y, long y_stride) {
  for (long t = 0; t < rows; t++) memcpy(y + t * y_stride, row, (size_t)columns * sizeof(float));
}

KERNEL void ck_swiglu(
    long rows, long columns, const float *gate, long gate_stride, const float *up, long up_stride, float *out,
    long out_stride) {
  for (long t = 0; t < rows; t++) {
    const float *g = gate + t * gate_stride, *u = up + t * up_stride;
    float *o = out + t * out_stride;
    for (long i = 0; i < columns; i++) o[i] = g[i] / (1.0f + vector_exp(-g[i])) * u[i];
  }
}

// d silu(g) = s·(1 + g·(1 − s)) with s = 1 / (1 + e^-g).
KERNEL void ck_swiglu_backward(
    long rows, long columns, const float *dout, long dout_stride, const float *gate, long gate_stride, const float *up,
    long up_stride, float *dgate, long dgate_stride, float *dup, long dup_stride) {
  for (long t = 0; t < rows; t++) {
    const float *d = dout + t * dout_stride, *g = gate + t * gate_stride, *u = up + t * up_stride;
    float *dg = dgate + t * dgate_stride, *du = dup + t * dup_stride;
    // dgate may be gate and dup up, element for element, which is no obstacle to vectors.
#pragma clang loop vectorize(assume_safety)
    for (long i = 0; i < columns; i++) {
      float s = 1.0f / (1.0f + vector_exp(-g[i]));
      float silu = g[i] * s;
      float slope = s * (1.0f + g[i] * (1.0f - s));
      float gradient = d[i] * u[i] * slope;
      du[i] = d[i] * silu;
      dg[i] = gradient;
    }
  }
}

KERNEL void ck_swiglu_bf16(
    long rows, long columns, const uint16_t *gate, long gate_stride, const uint16_t *up, long up_stride, uint16_t *out,
    long out_stride) {
  for (long t = 0; t < rows; t++) {
    const uint16_t *g = gate + t * gate_stride, *u = up + t * up_stride;
    uint16_t *o = out + t * out_stride;
    for (long i = 0; i < columns; i++) {
      float x = bfloat16_to_float(g[i]);
      o[i] = float_to_bfloat16(x / (1.0f + vector_exp(-x)) * bfloat16_to_float(u[i]));
    }
  }
}

KERNEL void ck_swiglu_backward_bf16(
    long rows, long columns, const float *dout, long dout_stride, uint16_t *gate, long gate_stride, uint16_t *up,
    long up_stride) {
  for (long t = 0; t < rows; t++) {
    const float *d = dout + t * dout_stride;
    uint16_t *g = gate + t * gate_stride, *u = up + t * up_stride;
#pragma clang loop vectorize(assume_safety)
    for (long i = 0; i < columns; i++) {
      float x = bfloat16_to_float(g[i]), y = bfloat16_to_float(u[i]);
      float s = 1.0f / (1.0f + vector_exp(-x));
      float slope = s * (1.0f + x * (1.0f - s));
      u[i] = float_to_bfloat16(d[i] * x * s);
      g[i] = float_to_bfloat16(d[i] * y * slope);
    }
  }
}

KERNEL void ck_rope(
    long rows, long heads, long head_size, const float *cosines, const float *sines, float sign, float *x,
    long x_stride) {
  long half = head_size / 2;
  for (long t = 0; t < rows; t++) {
    const float *c = cosines + t * half, *s = sines + t * half;
    for (long h = 0; h < heads; h++) {
      float *low = x + t * x_stride + h * head_size, *high = low + half;
#pragma clang loop vectorize(assume_safety)
      for (long i = 0; i < half; i++) {
        float a = low[i], b = high[i], turn = sign * s[i];
        low[i] = a * c[i] - b * turn;
        high[i] = b * c[i] + a * turn;
      }
    }
  }
}

// The counter-based generator: the finaliser of splitmix64 (Steele, Lea & Flood, 2014) over key + index · golden ratio.
KERNEL void ck_dropout(
    long rows, long columns, uint64_t key, uint64_t first, uint32_t threshold, float keep_scale, const float *x,
    long x_stride, float *out, long out_stride) {
  for (long t = 0; t < rows; t++) {
    const float *from = x + t * x_stride;
    float *to = out + t * out_stride;
    uint64_t base = first + (uint64_t)(t * columns);
#pragma clang loop vectorize(assume_safety)
    for (long i = 0; i < columns; i++) {
      uint64_t z = key + (base + (uint64_t)i) * 0x9E3779B97F4A7C15u;
      z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
      z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
      z ^= z >> 31;
      float kept = from[i] * keep_scale;
      to[i] = (uint32_t)(z >> 40) < threshold ? 0.0f : kept;
    }
  }
}

KERNEL void ck_adamw(long n, const ck_adamw_step *step, const float *g, float *p, float *m, float *v) {
  const ck_adamw_step s = *step;
#pragma clang loop vectorize(assume_safety)
  for (long i = 0; i < n; i++) {
    float mean = s.beta1 * m[i] + s.rest1 * g[i];
    float square = s.beta2 * v[i] + s.rest2 * (g[i] * g[i]);
    m[i] = mean;
    v[i] = square;
    p[i] = p[i] * s.decay - s.rate * (mean / (sqrtf(square) * s.root + s.epsilon));
  }
}
