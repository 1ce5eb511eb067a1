#pragma once
// What the kernel files share: the choice of path, and an exponential that vectorises.
#include <math.h>
#include <string.h>

#include "CKernels.h"

#if defined(__x86_64__)
#define KERNEL __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define KERNEL
#endif

// Inlined into every clone, so that it is compiled for that clone's CPU.
#define INLINE static inline __attribute__((always_inline))

/// Lets the compiler use fused multiply-add and several partial sums: fixed at compile time, so the order of a sum
/// depends on its length alone. Opens the body of a function or block.
#define FAST_SUMS _Pragma("clang fp reassociate(on) contract(fast)")
#define FUSED _Pragma("clang fp contract(fast)")

/// Sixteen floats: one AVX-512 register, two of AVX2, four of SSE or NEON. Read and written in place, never passed to or
/// returned from a function (that would depend on the path).
typedef float lanes __attribute__((ext_vector_type(16), aligned(4), may_alias));
#define LOAD(pointer) (*(const lanes *)(pointer))
#define STORE(pointer, value) (*(lanes *)(pointer) = (value))

// Sixteen lines of sixteen, turned about their diagonal by four rounds of shuffling each line with the one eight further on.
#define FIRST_HALVES 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define SECOND_HALVES 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#define SHUFFLE_ROUND(to, from)                                                           \
  _Pragma("unroll") for (int l = 0; l < 8; l++) {                                         \
    to[2 * l] = __builtin_shufflevector(from[l], from[l + 8], FIRST_HALVES);              \
    to[2 * l + 1] = __builtin_shufflevector(from[l], from[l + 8], SECOND_HALVES);         \
  }
#define TURN(a, b)    \
  SHUFFLE_ROUND(b, a) \
  SHUFFLE_ROUND(a, b) \
  SHUFFLE_ROUND(b, a) \
  SHUFFLE_ROUND(a, b)

/// e^x, relative error under 2e-7; 0 below -87.3, about 2e38 above 88.
///
/// x = n·ln 2 + r with |r| <= ln 2 / 2 (Cody & Waite's two-part ln 2), e^r by the polynomial of Cephes' expf
/// (Moshier), and n is added to the exponent's bits.
INLINE float vector_exp(float x) {
  FUSED
  const float shifter = 12582912.0f;  // 1.5 · 2^23: adding it leaves n in the low bits
  float clamped = x > 88.0f ? 88.0f : x;
  clamped = clamped < -87.3f ? -87.3f : clamped;
  float shifted = clamped * 1.44269504088896341f + shifter;
  float n = shifted - shifter;
  float r = clamped - n * 0.693359375f;
  r = r - n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  uint32_t exponent, bits;
  memcpy(&exponent, &shifted, 4);
  memcpy(&bits, &p, 4);
  bits += exponent << 23;
  memcpy(&p, &bits, 4);
  return x < -87.3f ? 0.0f : p;
}

INLINE float bfloat16_to_float(uint16_t value) {
  uint32_t bits = (uint32_t)value << 16;
  float result;
  memcpy(&result, &bits, 4);
  return result;
}

/// To the nearest, ties to even; for numbers that are no NaN.
INLINE uint16_t float_to_bfloat16(float value) {
  uint32_t bits;
  memcpy(&bits, &value, 4);
  return (uint16_t)((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
}

/// Sixteen bfloat16 numbers as floats. (A macro like LOAD: vectors are never returned from a function.)
typedef uint16_t halves __attribute__((ext_vector_type(16), aligned(2), may_alias));
typedef uint32_t words __attribute__((ext_vector_type(16)));
#define BFLOAT16_LANES(pointer) \
  ((lanes)(__builtin_convertvector(*(const halves *)(pointer), words) << 16))

/// Sixteen 8-bit numbers as floats.
typedef int8_t eighths __attribute__((ext_vector_type(16), aligned(1), may_alias));
#define INT8_LANES(pointer) (__builtin_convertvector(*(const eighths *)(pointer), lanes))

/// The sum of the sixteen lanes, halves onto halves.
#define SUM_OF_LANES(value)                                                              \
  ({                                                                                     \
    float part[16];                                                                      \
    STORE(part, value);                                                                  \
    for (int half = 8; half > 0; half /= 2) {                                            \
      for (int lane = 0; lane < half; lane++) part[lane] += part[lane + half];           \
    }                                                                                    \
    part[0];                                                                             \
  })
