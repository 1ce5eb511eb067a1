// NF4, the 4-bit code of QLoRA (Dettmers et al., "QLoRA", 2023), as bitsandbytes lays it out: numbers of the flattened
// tensor in blocks, each the absolute maximum of its block times one of the sixteen values of the code book.
#include "vector.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

static long smaller(long a, long b) { return a < b ? a : b; }

// MARK: Quantising

// How many of the fifteen thresholds lie below the number is its code: the nearest value's, the lower one's on a tie.
KERNEL static void nf4_codes(long n, const float *x, const float *thresholds, int32_t *codes) {
  for (long i = 0; i < n; i++) {
    int32_t code = 0;
    for (int j = 0; j < 15; j++) code += x[i] > thresholds[j];
    codes[i] = code;
  }
}

KERNEL static float largest_magnitude(long n, const float *x) {
  float best = 0;
  for (long i = 0; i < n; i++) {
    float magnitude = fabsf(x[i]);
    best = magnitude > best ? magnitude : best;
  }
  return best;
}

// Into -1…1. bitsandbytes multiplies whole blocks by 1 / absmax and divides the last, partial one: the bits differ.
KERNEL static void to_unit(long n, const float *x, float absmax, int divide, float *out) {
  float inverse = 1.0f / absmax;
  for (long i = 0; i < n; i++) {
    float value = divide ? x[i] / absmax : x[i] * inverse;
    value = value > 1.0f ? 1.0f : value;
    out[i] = value < -1.0f ? -1.0f : value;
  }
}

void ck_nf4_quantise(
    long n, const float *x, long block_size, const float *code_book, uint8_t *codes, float *absmax) {
  // bitsandbytes keeps a block of zeros from a division by zero with this.
  const float least = 1e-38f;
  enum { STRETCH = 64 };
  float thresholds[15], unit[STRETCH];
  int32_t wide[STRETCH];
  for (int j = 0; j < 15; j++) thresholds[j] = (code_book[j] + code_book[j + 1]) / 2;
  for (long start = 0; start < n; start += block_size) {
    long count = smaller(block_size, n - start);
    int partial = count < block_size;
    float largest = largest_magnitude(count, x + start);
    float divisor = largest > least ? largest : least;
    absmax[start / block_size] = partial ? divisor : largest;
    for (long i = 0; i < count; i += STRETCH) {
      long some = smaller(STRETCH, count - i);
      to_unit(some, x + start + i, divisor, partial, unit);
      // What fills the last byte of an odd number of codes is the code of zero.
      if (some & 1) unit[some] = 0;
      nf4_codes(some + (some & 1), unit, thresholds, wide);
      for (long j = 0; j < some; j += 2) codes[(start + i + j) / 2] = (uint8_t)(wide[j] << 4 | wide[j + 1]);
    }
  }
}

void ck_blockwise_quantise(
    long n, const float *x, float offset, long block_size, const float *code_book, uint8_t *codes, float *absmax) {
  for (long start = 0; start < n; start += block_size) {
    long count = smaller(block_size, n - start);
    float largest = 0;
    for (long i = 0; i < count; i++) largest = fmaxf(largest, fabsf(x[start + i] - offset));
    absmax[start / block_size] = largest;
    for (long i = 0; i < count; i++) {
      float value = largest > 0 ? (x[start + i] - offset) / largest : 0;
      // The number of midpoints below the value.
      long low = 0, high = 255;
      while (low < high) {
        long middle = (low + high) / 2;
        if (value > (code_book[middle] + code_book[middle + 1]) / 2) {
          low = middle + 1;
        } else {
          high = middle;
        }
      }
      codes[start + i] = (uint8_t)low;
    }
  }
}

// MARK: The paths

INLINE float block_absmax(const ck_nf4 *w, long block) {
  if (w->absmax) return w->absmax[block];
  return w->nested_code_book[w->nested_codes[block]] * w->nested_absmax[block >> w->nested_shift] + w->nested_offset;
}

// The sixteen numbers a block can hold.
INLINE void float_table(const ck_nf4 *w, long block, float *table) {
  float absmax = block_absmax(w, block);
  for (int i = 0; i < 16; i++) table[i] = w->code_book[i] * absmax;
}

INLINE void bfloat16_table(const ck_nf4 *w, long block, uint16_t *table) {
  float wide[16];
  float_table(w, block, wide);
  for (int i = 0; i < 16; i++) table[i] = float_to_bfloat16(wide[i]);
}

// Each path has two steps: 32 bfloat16 numbers from 16 bytes of codes, 16 floats from 8 bytes.

INLINE void thirty_two_portable(const uint8_t *codes, const uint16_t *table, uint16_t *out) {
  for (int i = 0; i < 16; i++) {
    out[2 * i] = table[codes[i] >> 4];
    out[2 * i + 1] = table[codes[i] & 15];
  }
}

INLINE void sixteen_portable(const uint8_t *codes, const float *table, float *out) {
  for (int i = 0; i < 8; i++) {
    out[2 * i] = table[codes[i] >> 4];
    out[2 * i + 1] = table[codes[i] & 15];
  }
}

#define PATH(name) name##_portable
#define TARGET
#include "nf4_path.h"
#undef PATH
#undef TARGET

#if defined(__x86_64__)

#define AVX2 __attribute__((target("arch=x86-64-v3")))

// A table of sixteen 16-bit numbers is two of bytes, and a shuffle looks sixteen codes up in each.
AVX2 INLINE void thirty_two_avx2(const uint8_t *codes, const uint16_t *table, uint16_t *out) {
  const __m128i nibble = _mm_set1_epi8(15), byte = _mm_set1_epi16(255);
  __m128i first = _mm_loadu_si128((const __m128i *)table), second = _mm_loadu_si128((const __m128i *)(table + 8));
  __m128i lows = _mm_packus_epi16(_mm_and_si128(first, byte), _mm_and_si128(second, byte));
  __m128i highs = _mm_packus_epi16(_mm_srli_epi16(first, 8), _mm_srli_epi16(second, 8));
  __m128i packed = _mm_loadu_si128((const __m128i *)codes);
  __m128i even = _mm_and_si128(_mm_srli_epi16(packed, 4), nibble), odd = _mm_and_si128(packed, nibble);
  __m128i index[2] = {_mm_unpacklo_epi8(even, odd), _mm_unpackhi_epi8(even, odd)};
  for (int i = 0; i < 2; i++) {
    __m128i low = _mm_shuffle_epi8(lows, index[i]), high = _mm_shuffle_epi8(highs, index[i]);
    _mm_storeu_si128((__m128i *)(out + 16 * i), _mm_unpacklo_epi8(low, high));
    _mm_storeu_si128((__m128i *)(out + 16 * i + 8), _mm_unpackhi_epi8(low, high));
  }
}

// A byte becomes 64 bits with its high nibble below and its low nibble above: eight codes in order.
AVX2 INLINE void sixteen_avx2(const uint8_t *codes, const float *table, float *out) {
  __m256 low = _mm256_loadu_ps(table), high = _mm256_loadu_ps(table + 8);
  for (int i = 0; i < 2; i++) {
    int32_t four;
    memcpy(&four, codes + 4 * i, 4);
    __m256i wide = _mm256_cvtepu8_epi64(_mm_cvtsi32_si128(four));
    __m256i index = _mm256_or_si256(_mm256_srli_epi64(wide, 4), _mm256_slli_epi64(wide, 32));
    __m256 upper = _mm256_castsi256_ps(_mm256_slli_epi32(index, 28));  // its sign is the code's highest bit
    __m256 value = _mm256_blendv_ps(
        _mm256_permutevar8x32_ps(low, index), _mm256_permutevar8x32_ps(high, index), upper);
    _mm256_storeu_ps(out + 8 * i, value);
  }
}

#define PATH(name) name##_avx2
#define TARGET AVX2
#include "nf4_path.h"
#undef PATH
#undef TARGET

#define AVX512 __attribute__((target("arch=x86-64-v4")))

// The permutations look at the low bits of an index alone, so the high nibble may stay above the low one.
AVX512 INLINE void thirty_two_avx512(const uint8_t *codes, const uint16_t *table, uint16_t *out) {
  __m512i twice = _mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i *)table));
  __m512i wide = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)codes));
  __m512i index = _mm512_or_si512(_mm512_srli_epi32(wide, 4), _mm512_slli_epi32(wide, 16));
  _mm512_storeu_si512(out, _mm512_permutexvar_epi16(index, twice));
}

AVX512 INLINE void sixteen_avx512(const uint8_t *codes, const float *table, float *out) {
  __m512i wide = _mm512_cvtepu8_epi64(_mm_loadl_epi64((const __m128i *)codes));
  __m512i index = _mm512_or_si512(_mm512_srli_epi64(wide, 4), _mm512_slli_epi64(wide, 32));
  _mm512_storeu_ps(out, _mm512_permutexvar_ps(index, _mm512_loadu_ps(table)));
}

#define PATH(name) name##_avx512
#define TARGET AVX512
#include "nf4_path.h"
#undef PATH
#undef TARGET

#endif

int ck_nf4_fastest_path(void) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("x86-64-v4")) return CK_NF4_AVX512;
  if (__builtin_cpu_supports("x86-64-v3")) return CK_NF4_AVX2;
#endif
  return CK_NF4_PORTABLE;
}

#if defined(__x86_64__)
#define ON_PATH(NAME, ...)                                         \
  switch (w->path) {                                               \
    case CK_NF4_AVX512: NAME##_avx512(__VA_ARGS__); break;         \
    case CK_NF4_AVX2: NAME##_avx2(__VA_ARGS__); break;             \
    default: NAME##_portable(__VA_ARGS__);                         \
  }
#else
#define ON_PATH(NAME, ...) NAME##_portable(__VA_ARGS__)
#endif

void ck_nf4_to_f32(
    const ck_nf4 *w, long first, long rows, long columns, long stride, float *out, long out_stride) {
  ON_PATH(nf4_to_f32, w, first, rows, columns, stride, out, out_stride)
}

void ck_nf4_to_bf16(
    const ck_nf4 *w, long first, long rows, long columns, long stride, uint16_t *out, long out_stride) {
  ON_PATH(nf4_to_bf16, w, first, rows, columns, stride, out, out_stride)
}

void ck_linear_few_nf4(
    long rows, long n, long k, const float *x, long x_stride, const ck_nf4 *w, long first, const float *bias, float *y,
    long y_stride) {
  ON_PATH(linear_few_nf4, rows, n, k, x, x_stride, w, first, bias, y, y_stride)
}
