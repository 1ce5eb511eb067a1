// Products of bfloat16 numbers with a few rows of x, by AVX512-BF16: bound by reading the weight, so each of its numbers is read once.
#include "bfloat16_pairs.h"

#if defined(__x86_64__)

// How far ahead of their use weights are fetched, in bytes. Rows are read one after another, a single stream through memory: several at once
// are slower by half.
enum { FETCHED = 4096 };

// One row of the weight against ROWS rows of x.
#define FEW_PAIRS(ROWS)                                                                                              \
  PAIRS_INLINE void few_pairs_##ROWS(                                                                                \
      long k, const uint16_t *x, long x_stride, const uint16_t *w, float bias, float *y, long y_stride) {            \
    __m512 sums[ROWS][4];                                                                                            \
    _Pragma("unroll") for (int t = 0; t < ROWS; t++) {                                                               \
      _Pragma("unroll") for (int j = 0; j < 4; j++) sums[t][j] = _mm512_setzero_ps();                                \
    }                                                                                                                \
    long i = 0;                                                                                                      \
    for (; i + 128 <= k; i += 128) {                                                                                 \
      _Pragma("unroll") for (int j = 0; j < 4; j++) {                                                                \
        __m512bh line = (__m512bh)_mm512_loadu_si512(w + i + 32 * j);                                                \
        _mm_prefetch((const char *)(w + i + 32 * j) + FETCHED, _MM_HINT_T0);                                         \
        _Pragma("unroll") for (int t = 0; t < ROWS; t++) {                                                           \
          sums[t][j] = _mm512_dpbf16_ps(sums[t][j], (__m512bh)_mm512_loadu_si512(x + t * x_stride + i + 32 * j), line);\
        }                                                                                                            \
      }                                                                                                              \
    }                                                                                                                \
    for (; i < k; i += 32) {                                                                                         \
      __mmask32 mask = first_halves(k - i);                                                                          \
      __m512bh line = (__m512bh)_mm512_maskz_loadu_epi16(mask, w + i);                                               \
      _Pragma("unroll") for (int t = 0; t < ROWS; t++) {                                                             \
        __m512bh from = (__m512bh)_mm512_maskz_loadu_epi16(mask, x + t * x_stride + i);                              \
        sums[t][0] = _mm512_dpbf16_ps(sums[t][0], from, line);                                                       \
      }                                                                                                              \
    }                                                                                                                \
    _Pragma("unroll") for (int t = 0; t < ROWS; t++) {                                                               \
      __m512 sum = _mm512_add_ps(_mm512_add_ps(sums[t][0], sums[t][1]), _mm512_add_ps(sums[t][2], sums[t][3]));      \
      y[t * y_stride] = _mm512_reduce_add_ps(sum) + bias;                                                            \
    }                                                                                                                \
  }

FEW_PAIRS(1)
FEW_PAIRS(2)
FEW_PAIRS(3)
FEW_PAIRS(4)

PAIRS void ck_bf16_few_rows(
    long rows, long n, long k, const uint16_t *x, long x_stride, const uint16_t *w, long w_stride, const float *bias,
    float *y, long y_stride) {
  for (long o = 0; o < n; o++) {
    const uint16_t *row = w + o * w_stride;
    float some_bias = bias ? bias[o] : 0;
    for (long t = 0; t < rows; t += 4) {
      const uint16_t *from = x + t * x_stride;
      float *to = y + t * y_stride + o;
      switch (rows - t) {
        case 1: few_pairs_1(k, from, x_stride, row, some_bias, to, y_stride); break;
        case 2: few_pairs_2(k, from, x_stride, row, some_bias, to, y_stride); break;
        case 3: few_pairs_3(k, from, x_stride, row, some_bias, to, y_stride); break;
        default: few_pairs_4(k, from, x_stride, row, some_bias, to, y_stride);
      }
    }
  }
}

// MARK: Few rows of NF4 codes

// The numbers of a block are the code book's times its maximum, so the sums take the code book's values, rounded to bfloat16, and each
// block's sum its maximum.

// The maxima of `count` blocks from `block` on.
PAIRS static void block_maxima(const ck_nf4 *w, long block, long count, float *out) {
  if (w->absmax) {
    memcpy(out, w->absmax + block, (size_t)count * sizeof(float));
    return;
  }
  __m512 offset = _mm512_set1_ps(w->nested_offset);
  for (long i = 0; i < count; i += 16) {
    __mmask16 mask = first_words(count - i);
    __m512i code = _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(mask, w->nested_codes + block + i));
    __m512i outer = _mm512_srli_epi32(
        _mm512_add_epi32(
            _mm512_set1_epi32((int)(block + i)), _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)),
        (unsigned)w->nested_shift);
    __m512 value = _mm512_mask_i32gather_ps(_mm512_setzero_ps(), mask, code, w->nested_code_book, 4);
    long from = (block + i) >> w->nested_shift, to = (block + (count - i < 16 ? count : i + 16) - 1) >> w->nested_shift;
    __m512 scale = from == to ? _mm512_set1_ps(w->nested_absmax[from])
                              : _mm512_mask_i32gather_ps(_mm512_setzero_ps(), mask, outer, w->nested_absmax, 4);
    // Not fused: the same bits as the other paths.
    _mm512_mask_storeu_ps(out + i, mask, _mm512_add_ps(_mm512_mul_ps(value, scale), offset));
  }
}

// The code book in bfloat16, twice over: an index's fifth bit doesn't count.
PAIRS_INLINE __m512i rounded_code_book(const float *code_book) {
  uint16_t values[32];
  for (int i = 0; i < 32; i++) values[i] = float_to_bfloat16(code_book[i & 15]);
  return _mm512_loadu_si512(values);
}

enum { NF4_BLOCK = 64, MOST_BLOCKS = 1024 };

// The sum of one block, whose 32 bytes of codes are words of a register, against one row of x.
PAIRS_INLINE __m512 nf4_block_sum(__m512i even, __m512i odd, const uint16_t *x, __m512 sum, float maximum) {
  __m512 part = _mm512_dpbf16_ps(_mm512_setzero_ps(), (__m512bh)even, (__m512bh)_mm512_loadu_si512(x));
  part = _mm512_dpbf16_ps(part, (__m512bh)odd, (__m512bh)_mm512_loadu_si512(x + 32));
  return _mm512_fmadd_ps(part, _mm512_set1_ps(maximum), sum);
}

#define FEW_NF4_PAIRS(ROWS)                                                                                          \
  PAIRS_INLINE void few_nf4_pairs_##ROWS(                                                                            \
      long blocks, const uint16_t *x, long x_stride, const uint8_t *codes, const float *maxima, __m512i values, float bias,\
      float *y, long y_stride) {                                                                                     \
    __m512 sums[ROWS][2];                                                                                            \
    _Pragma("unroll") for (int t = 0; t < ROWS; t++) sums[t][0] = sums[t][1] = _mm512_setzero_ps();                  \
    long b = 0;                                                                                                      \
    for (; b + 2 <= blocks; b += 2) {                                                                                \
      __m512i both = _mm512_loadu_si512(codes + b * (NF4_BLOCK / 2));                                                \
      _mm_prefetch((const char *)codes + b * (NF4_BLOCK / 2) + FETCHED, _MM_HINT_T0);                                \
      __m512i odd[2] = {                                                                                             \
          _mm512_cvtepu8_epi16(_mm512_castsi512_si256(both)), _mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64(both, 1))};\
      _Pragma("unroll") for (int j = 0; j < 2; j++) {                                                                \
        __m512i evens = _mm512_permutexvar_epi16(_mm512_srli_epi16(odd[j], 4), values);                              \
        __m512i odds = _mm512_permutexvar_epi16(odd[j], values);                                                     \
        _Pragma("unroll") for (int t = 0; t < ROWS; t++) {                                                           \
          const uint16_t *from = x + t * x_stride + (b + j) * NF4_BLOCK;                                             \
          sums[t][j] = nf4_block_sum(evens, odds, from, sums[t][j], maxima[b + j]);                                  \
        }                                                                                                            \
      }                                                                                                              \
    }                                                                                                                \
    if (b < blocks) {                                                                                                \
      __m512i odd = _mm512_cvtepu8_epi16(_mm256_loadu_si256((const __m256i *)(codes + b * (NF4_BLOCK / 2))));        \
      __m512i evens = _mm512_permutexvar_epi16(_mm512_srli_epi16(odd, 4), values);                                   \
      __m512i odds = _mm512_permutexvar_epi16(odd, values);                                                          \
      _Pragma("unroll") for (int t = 0; t < ROWS; t++) {                                                             \
        sums[t][0] = nf4_block_sum(evens, odds, x + t * x_stride + b * NF4_BLOCK, sums[t][0], maxima[b]);            \
      }                                                                                                              \
    }                                                                                                                \
    _Pragma("unroll") for (int t = 0; t < ROWS; t++) {                                                               \
      y[t * y_stride] = _mm512_reduce_add_ps(_mm512_add_ps(sums[t][0], sums[t][1])) + bias;                          \
    }                                                                                                                \
  }

FEW_NF4_PAIRS(1)
FEW_NF4_PAIRS(2)
FEW_NF4_PAIRS(3)
FEW_NF4_PAIRS(4)

int ck_bf16_few_nf4_takes(long k, const ck_nf4 *w) {
  return w->block_shift == 6 && k % NF4_BLOCK == 0 && k / NF4_BLOCK <= MOST_BLOCKS;
}

PAIRS void ck_bf16_even_odd(long rows, long k, const uint16_t *x, long x_stride, uint16_t *out) {
  for (long t = 0; t < rows; t++) {
    for (long b = 0; b < k; b += NF4_BLOCK) {
      const uint16_t *from = x + t * x_stride + b;
      uint16_t *to = out + t * k + b;
      for (int i = 0; i < NF4_BLOCK / 2; i++) {
        to[i] = from[2 * i];
        to[NF4_BLOCK / 2 + i] = from[2 * i + 1];
      }
    }
  }
}

PAIRS void ck_bf16_few_rows_nf4(
    long rows, long n, long k, const uint16_t *x, const ck_nf4 *w, long first, const float *bias, float *y,
    long y_stride) {
  __m512i values = rounded_code_book(w->code_book);
  long blocks = k / NF4_BLOCK;
  float maxima[MOST_BLOCKS];
  for (long o = 0; o < n; o++) {
    long start = first + o * k;
    const uint8_t *codes = w->codes + start / 2;
    block_maxima(w, start / NF4_BLOCK, blocks, maxima);
    float some_bias = bias ? bias[o] : 0;
    for (long t = 0; t < rows; t += 4) {
      const uint16_t *from = x + t * k;
      float *to = y + t * y_stride + o;
      switch (rows - t) {
        case 1: few_nf4_pairs_1(blocks, from, k, codes, maxima, values, some_bias, to, y_stride); break;
        case 2: few_nf4_pairs_2(blocks, from, k, codes, maxima, values, some_bias, to, y_stride); break;
        case 3: few_nf4_pairs_3(blocks, from, k, codes, maxima, values, some_bias, to, y_stride); break;
        default: few_nf4_pairs_4(blocks, from, k, codes, maxima, values, some_bias, to, y_stride);
      }
    }
  }
}

#else

int ck_bf16_few_nf4_takes(long k, const ck_nf4 *w) { return 0; }
void ck_bf16_few_rows(
    long rows, long n, long k, const uint16_t *x, long x_stride, const uint16_t *w, long w_stride, const float *bias,
    float *y, long y_stride) {}
void ck_bf16_even_odd(long rows, long k, const uint16_t *x, long x_stride, uint16_t *out) {}
void ck_bf16_few_rows_nf4(
    long rows, long n, long k, const uint16_t *x, const ck_nf4 *w, long first, const float *bias, float *y,
    long y_stride) {}

#endif
