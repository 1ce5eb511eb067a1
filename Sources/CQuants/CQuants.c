#include "CQuants.h"

#include <math.h>
#include <string.h>

// MARK: 16-bit floats

static inline float float_of_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static inline uint32_t bits_of_float(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

static inline uint16_t load16(const uint8_t *at) {
  uint16_t value;
  memcpy(&value, at, sizeof value);
  return value;
}

static inline uint32_t load32(const uint8_t *at) {
  uint32_t value;
  memcpy(&value, at, sizeof value);
  return value;
}

/// Exact: every binary16 number, the subnormal ones too, is a binary32 number.
static inline float half_to_float(uint16_t half) {
  uint32_t sign = (uint32_t)(half & 0x8000) << 16;
  uint32_t magnitude = (uint32_t)(half & 0x7fff) << 13;
  if (magnitude >= 0x0f800000) return float_of_bits(sign | (magnitude + 0x70000000));  // infinity, NaN
  if (magnitude >= 0x00800000) return float_of_bits(sign | (magnitude + 0x38000000));  // exponent 15 → 127
  // Subnormal: its 10 bits count 2^-24; the product is exact.
  return float_of_bits(sign | bits_of_float((float)(half & 0x3ff) * 0x1p-24f));
}

static inline uint16_t float_to_half(float value) {
  uint32_t bits = bits_of_float(value);
  uint16_t sign = (uint16_t)(bits >> 16) & 0x8000;
  uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;   // NaN
  if (magnitude >= 0x477ff000) return sign | 0x7c00;  // 65520 and above round to infinity
  if (magnitude < 0x38800000) {
    // Below 2^-14: adding 0.5 leaves a count of 2^-24 in the low bits, rounded to even by the addition itself.
    float shifted = float_of_bits(magnitude) + 0.5f;
    return sign | (uint16_t)(bits_of_float(shifted) - bits_of_float(0.5f));
  }
  uint32_t odd = (magnitude >> 13) & 1;
  return sign | (uint16_t)((magnitude - 0x38000000 + 0xfff + odd) >> 13);
}

void cq_f16_to_f32(const uint8_t *in, float *out, size_t count) {
  for (size_t i = 0; i < count; i++) out[i] = half_to_float(load16(in + 2 * i));
}

void cq_bf16_to_f32(const uint8_t *in, float *out, size_t count) {
  for (size_t i = 0; i < count; i++) out[i] = float_of_bits((uint32_t)load16(in + 2 * i) << 16);
}

void cq_f32_to_f16(const float *in, uint8_t *out, size_t count) {
  for (size_t i = 0; i < count; i++) {
    uint16_t half = float_to_half(in[i]);
    memcpy(out + 2 * i, &half, 2);
  }
}

void cq_f32_to_bf16(const float *in, uint8_t *out, size_t count) {
  for (size_t i = 0; i < count; i++) {
    uint32_t bits = bits_of_float(in[i]);
    // A NaN stays one (rounding could carry it to infinity); all else rounds to nearest, ties to even.
    uint32_t rounded = (bits & 0x7fffffff) > 0x7f800000 ? bits | 0x00400000 : bits + 0x7fff + ((bits >> 16) & 1);
    uint16_t half = (uint16_t)(rounded >> 16);
    memcpy(out + 2 * i, &half, 2);
  }
}

// MARK: Blocks of 32

/// Block: d (f16), 16 bytes of low and high nibbles (elements 0-15, 16-31). x = d · (q − 8).
void cq_q4_0(const uint8_t *in, float *out, size_t blocks) {
  for (size_t b = 0; b < blocks; b++, in += 18, out += 32) {
    float d = half_to_float(load16(in));
    const uint8_t *q = in + 2;
    for (int i = 0; i < 16; i++) {
      out[i] = d * (float)((q[i] & 15) - 8);
      out[i + 16] = d * (float)((q[i] >> 4) - 8);
    }
  }
}

/// Block: d, m (f16), 16 bytes of nibbles. x = d · q + m.
void cq_q4_1(const uint8_t *in, float *out, size_t blocks) {
  for (size_t b = 0; b < blocks; b++, in += 20, out += 32) {
    float d = half_to_float(load16(in)), m = half_to_float(load16(in + 2));
    const uint8_t *q = in + 4;
    for (int i = 0; i < 16; i++) {
      out[i] = d * (float)(q[i] & 15) + m;
      out[i + 16] = d * (float)(q[i] >> 4) + m;
    }
  }
}

/// Block: d (f16), 32 fifth bits, 16 bytes of nibbles. x = d · (q − 16).
void cq_q5_0(const uint8_t *in, float *out, size_t blocks) {
  for (size_t b = 0; b < blocks; b++, in += 22, out += 32) {
    float d = half_to_float(load16(in));
    uint32_t high = load32(in + 2);
    const uint8_t *q = in + 6;
    for (int i = 0; i < 16; i++) {
      out[i] = d * (float)((int)((q[i] & 15) | ((high >> i) & 1) << 4) - 16);
      out[i + 16] = d * (float)((int)((q[i] >> 4) | ((high >> (i + 16)) & 1) << 4) - 16);
    }
  }
}

/// Block: d, m (f16), 32 fifth bits, 16 bytes of nibbles. x = d · q + m.
void cq_q5_1(const uint8_t *in, float *out, size_t blocks) {
  for (size_t b = 0; b < blocks; b++, in += 24, out += 32) {
    float d = half_to_float(load16(in)), m = half_to_float(load16(in + 2));
    uint32_t high = load32(in + 4);
    const uint8_t *q = in + 8;
    for (int i = 0; i < 16; i++) {
      out[i] = d * (float)(int)((q[i] & 15) | ((high >> i) & 1) << 4) + m;
      out[i + 16] = d * (float)(int)((q[i] >> 4) | ((high >> (i + 16)) & 1) << 4) + m;
    }
  }
}

/// Block: d (f16), 32 signed bytes. x = q · d.
void cq_q8_0(const uint8_t *in, float *out, size_t blocks) {
  for (size_t b = 0; b < blocks; b++, in += 34, out += 32) {
    float d = half_to_float(load16(in));
    for (int i = 0; i < 32; i++) out[i] = (float)(int8_t)in[2 + i] * d;
  }
}

/// The number that is farthest from 0 becomes -8; the others are rounded to whole steps of it.
void cq_to_q4_0(const float *in, uint8_t *out, size_t blocks) {
  for (size_t b = 0; b < blocks; b++, in += 32, out += 18) {
    float farthest = 0;
    for (int i = 0; i < 32; i++) {
      if (fabsf(in[i]) > fabsf(farthest)) farthest = in[i];
    }
    float d = farthest / -8, inverse = d == 0 ? 0 : 1 / d;
    uint16_t half = float_to_half(d);
    memcpy(out, &half, 2);
    for (int i = 0; i < 16; i++) {
      // In double precision, as the package does: in float32 the result would hang on fused multiply-add.
      int low = (int)((double)in[i] * inverse + 8.5), high = (int)((double)in[i + 16] * inverse + 8.5);
      out[2 + i] = (uint8_t)((low > 15 ? 15 : low) | (high > 15 ? 15 : high) << 4);
    }
  }
}

/// The number that is farthest from 0 becomes 127 or -127; halves are rounded away from 0.
void cq_to_q8_0(const float *in, uint8_t *out, size_t blocks) {
  for (size_t b = 0; b < blocks; b++, in += 32, out += 34) {
    float largest = 0;
    for (int i = 0; i < 32; i++) largest = fabsf(in[i]) > largest ? fabsf(in[i]) : largest;
    float d = largest / 127, inverse = d == 0 ? 0 : 1 / d;
    uint16_t half = float_to_half(d);
    memcpy(out, &half, 2);
    for (int i = 0; i < 32; i++) out[2 + i] = (uint8_t)(int8_t)roundf(in[i] * inverse);
  }
}

// MARK: Super-blocks of 256

/// The 6-bit scale and minimum of sub-block j (0-7), packed in 12 bytes: the first four in the low six bits of bytes
/// 0-3 and 4-7, the last four as nibbles of bytes 8-11 with their two upper bits atop bytes 0-3 and 4-7.
static inline void scale_and_minimum(const uint8_t *packed, int j, float *scale, float *minimum) {
  int s, m;
  if (j < 4) {
    s = packed[j] & 63;
    m = packed[j + 4] & 63;
  } else {
    s = (packed[j + 4] & 15) | (packed[j - 4] >> 6) << 4;
    m = (packed[j + 4] >> 4) | (packed[j] >> 6) << 4;
  }
  *scale = (float)s;
  *minimum = (float)m;
}

/// Block: d, dmin (f16), 12 bytes of scales, 128 bytes of nibbles; 32 bytes serve two sub-blocks of 32.
/// x = (d · scale) · q − (dmin · minimum).
void cq_q4_k(const uint8_t *in, float *out, size_t blocks) {
  for (size_t b = 0; b < blocks; b++, in += 144, out += 256) {
    float d = half_to_float(load16(in)), dmin = half_to_float(load16(in + 2));
    for (int pair = 0; pair < 4; pair++) {
      const uint8_t *q = in + 16 + 32 * pair;
      float *low = out + 64 * pair, *high = low + 32;
      float s0, m0, s1, m1;
      scale_and_minimum(in + 4, 2 * pair, &s0, &m0);
      scale_and_minimum(in + 4, 2 * pair + 1, &s1, &m1);
      float d0 = d * s0, n0 = dmin * m0, d1 = d * s1, n1 = dmin * m1;
      for (int i = 0; i < 32; i++) {
        low[i] = d0 * (float)(q[i] & 15) - n0;
        high[i] = d1 * (float)(q[i] >> 4) - n1;
      }
    }
  }
}

/// Block: d, dmin (f16), 12 bytes of scales, 32 bytes of fifth bits (bit j of byte i: sub-block j, element i), 128 bytes
/// of nibbles. x as in Q4_K.
void cq_q5_k(const uint8_t *in, float *out, size_t blocks) {
  for (size_t b = 0; b < blocks; b++, in += 176, out += 256) {
    float d = half_to_float(load16(in)), dmin = half_to_float(load16(in + 2));
    const uint8_t *fifth = in + 16;
    for (int pair = 0; pair < 4; pair++) {
      const uint8_t *q = in + 48 + 32 * pair;
      float *low = out + 64 * pair, *high = low + 32;
      float s0, m0, s1, m1;
      scale_and_minimum(in + 4, 2 * pair, &s0, &m0);
      scale_and_minimum(in + 4, 2 * pair + 1, &s1, &m1);
      float d0 = d * s0, n0 = dmin * m0, d1 = d * s1, n1 = dmin * m1;
      for (int i = 0; i < 32; i++) {
        low[i] = d0 * (float)((q[i] & 15) | ((fifth[i] >> (2 * pair)) & 1) << 4) - n0;
        high[i] = d1 * (float)((q[i] >> 4) | ((fifth[i] >> (2 * pair + 1)) & 1) << 4) - n1;
      }
    }
  }
}

/// Block: 128 bytes of low nibbles, 64 bytes of upper bit pairs, 16 signed scales, d (f16). Each half of 128 elements
/// takes 64 nibble bytes and 32 bytes of pairs. x = (d · scale) · (q − 32).
void cq_q6_k(const uint8_t *in, float *out, size_t blocks) {
  for (size_t b = 0; b < blocks; b++, in += 210, out += 256) {
    float d = half_to_float(load16(in + 208));
    const uint8_t *scales = in + 192;
    for (int half = 0; half < 2; half++) {
      const uint8_t *nibbles = in + 64 * half, *pairs = in + 128 + 32 * half;
      for (int quarter = 0; quarter < 4; quarter++) {
        // Quarters 0 and 1 are the low nibbles of bytes 0-31 and 32-63, quarters 2 and 3 the high ones.
        const uint8_t *q = nibbles + 32 * (quarter & 1);
        int shift = quarter < 2 ? 0 : 4;
        float *x = out + 128 * half + 32 * quarter;
        float d0 = d * (float)(int8_t)scales[8 * half + 2 * quarter];
        float d1 = d * (float)(int8_t)scales[8 * half + 2 * quarter + 1];
        for (int i = 0; i < 16; i++) {
          int value = ((q[i] >> shift) & 15) | ((pairs[i] >> (2 * quarter)) & 3) << 4;
          x[i] = d0 * (float)(value - 32);
        }
        for (int i = 16; i < 32; i++) {
          int value = ((q[i] >> shift) & 15) | ((pairs[i] >> (2 * quarter)) & 3) << 4;
          x[i] = d1 * (float)(value - 32);
        }
      }
    }
  }
}
