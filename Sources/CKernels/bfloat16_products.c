// Products of bfloat16 numbers with the instructions of AVX512-BF16: vdpbf16ps adds the products of sixteen pairs to sixteen floats.
//
// The weight is packed, a panel of up to 64 columns of the result at a time, so that the sixteen lanes of a register are columns and the
// two numbers of a pair are neighbours of the contracted dimension; the rows of x are read as they lie, a pair broadcast to all lanes.
#include "vector.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

#define PAIRS __attribute__((target("arch=x86-64-v4,avx512bf16")))
#define PAIRS_INLINE PAIRS INLINE

int ck_bf16_products_here(void) {
  unsigned a, b, c, d;
  if (!__builtin_cpu_supports("x86-64-v4") || !__get_cpuid_count(7, 1, &a, &b, &c, &d)) return 0;
  int pairs = (a >> 5) & 1;
  // Tiles of AMX are several times faster than this: there oneDNN has the better code.
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
  return pairs && !((d >> 22) & 1);
}

// MARK: Packing

// Sixteen registers of sixteen words, rows for columns.
PAIRS_INLINE void transpose_words(__m512i r[16]) {
  __m512i t[16];
  _Pragma("unroll") for (int i = 0; i < 8; i++) {
    t[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
    t[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
  }
  _Pragma("unroll") for (int i = 0; i < 4; i++) {
    r[4 * i] = _mm512_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
    r[4 * i + 1] = _mm512_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
    r[4 * i + 2] = _mm512_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
    r[4 * i + 3] = _mm512_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
  }
  // Quarters: the even ones with 0x88, the odd ones with 0xDD.
  _Pragma("unroll") for (int i = 0; i < 4; i++) {
    t[i] = _mm512_shuffle_i32x4(r[i], r[4 + i], 0x88);
    t[4 + i] = _mm512_shuffle_i32x4(r[i], r[4 + i], 0xDD);
    t[8 + i] = _mm512_shuffle_i32x4(r[8 + i], r[12 + i], 0x88);
    t[12 + i] = _mm512_shuffle_i32x4(r[8 + i], r[12 + i], 0xDD);
  }
  _Pragma("unroll") for (int i = 0; i < 4; i++) {
    r[i] = _mm512_shuffle_i32x4(t[i], t[8 + i], 0x88);
    r[8 + i] = _mm512_shuffle_i32x4(t[i], t[8 + i], 0xDD);
    r[4 + i] = _mm512_shuffle_i32x4(t[4 + i], t[12 + i], 0x88);
    r[12 + i] = _mm512_shuffle_i32x4(t[4 + i], t[12 + i], 0xDD);
  }
}

PAIRS_INLINE __mmask32 first_halves(long count) { return count >= 32 ? 0xFFFFFFFFu : count <= 0 ? 0 : (1u << count) - 1; }
PAIRS_INLINE __mmask16 first_words(long count) { return count >= 16 ? 0xFFFF : count <= 0 ? 0 : (__mmask16)((1u << count) - 1); }

// How far ahead of their use the weight's numbers are fetched from the second cache, in numbers of a row and in rows: the processor does not
// foresee lines that are a row apart.
enum { COLUMNS_AHEAD = 96, ROWS_AHEAD = 32 };

PAIRS void ck_bf16_pack_rows(const uint16_t *w, long stride, long n, long k, int vectors, uint16_t *panel) {
  for (int v = 0; v < vectors; v++) {
    for (long i = 0; i < k; i += 32) {
      __mmask32 mask = first_halves(k - i);
      __m512i lines[16];
      for (long a = 0; a < 16; a++) {
        long row = 16 * v + a;
        _mm_prefetch((const char *)(w + row * stride + i + COLUMNS_AHEAD), _MM_HINT_T0);
        lines[a] = row < n ? _mm512_maskz_loadu_epi16(mask, w + row * stride + i) : _mm512_setzero_si512();
      }
      transpose_words(lines);
      long pairs = k - i >= 32 ? 16 : (k - i + 1) / 2;
      for (long a = 0; a < pairs; a++) _mm512_store_si512(panel + ((i / 2 + a) * vectors + v) * 32, lines[a]);
    }
  }
}

PAIRS void ck_bf16_pack_columns(const uint16_t *w, long stride, long n, long k, int vectors, uint16_t *panel) {
  static const uint16_t interleaved[32] = {0, 32, 1, 33, 2,  34, 3,  35, 4,  36, 5,  37, 6,  38, 7,  39,
                                           8, 40, 9, 41, 10, 42, 11, 43, 12, 44, 13, 45, 14, 46, 15, 47};
  const __m512i lower = _mm512_loadu_si512(interleaved);
  const __m512i upper = _mm512_add_epi16(lower, _mm512_set1_epi16(16));
  for (long i = 0; i < k; i += 2) {
    uint16_t *to = panel + i / 2 * vectors * 32;
    for (int v = 0; v < vectors; v += 2) {
      _mm_prefetch((const char *)(w + (i + ROWS_AHEAD) * stride + 16 * v), _MM_HINT_T0);
      _mm_prefetch((const char *)(w + (i + ROWS_AHEAD + 1) * stride + 16 * v), _MM_HINT_T0);
    }
    for (int v = 0; v < vectors; v += 2) {
      __mmask32 mask = first_halves(n - 16 * v);
      __m512i first = _mm512_maskz_loadu_epi16(mask, w + i * stride + 16 * v);
      __m512i second = i + 1 < k ? _mm512_maskz_loadu_epi16(mask, w + (i + 1) * stride + 16 * v) : _mm512_setzero_si512();
      _mm512_store_si512(to + 32 * v, _mm512_permutex2var_epi16(first, lower, second));
      if (v + 1 < vectors) _mm512_store_si512(to + 32 * v + 32, _mm512_permutex2var_epi16(first, upper, second));
    }
  }
}

// MARK: Panels

// How far ahead of its use the panel is fetched from the second cache, in numbers. Over how many groups of rows the next panel is fetched:
// earlier it would leave the second cache again before it is packed.
enum { AHEAD = 1024, LAST_GROUPS = 64 };

// ROWS rows of x against a panel of VECTORS registers a pair: every sum stays in a register.
#define PANEL_ROWS(ROWS, VECTORS)                                                                                  \
  PAIRS_INLINE void panel_##ROWS##_##VECTORS(                                                                    \
      long k, const uint16_t *x, long x_stride, const uint16_t *panel, int accumulate, float *y, long y_stride,  \
      const __mmask16 *masks) {                                                                                  \
    __m512 sums[ROWS][VECTORS];                                                                                  \
    _Pragma("unroll") for (int t = 0; t < ROWS; t++) {                                                           \
      _Pragma("unroll") for (int v = 0; v < VECTORS; v++) {                                                      \
        sums[t][v] = accumulate ? _mm512_maskz_loadu_ps(masks[v], y + t * y_stride + 16 * v) : _mm512_setzero_ps(); \
      }                                                                                                          \
    }                                                                                                            \
    for (long i = 0; i < k; i += 2, panel += 32 * VECTORS) {                                                     \
      __m512bh columns[VECTORS];                                                                                 \
      _Pragma("unroll") for (int v = 0; v < VECTORS; v++) {                                                      \
        columns[v] = (__m512bh)_mm512_load_si512(panel + 32 * v);                                                \
        _mm_prefetch((const char *)(panel + 32 * v + AHEAD), _MM_HINT_T0);                                       \
      }                                                                                                          \
      _Pragma("unroll") for (int t = 0; t < ROWS; t++) {                                                         \
        int pair;                                                                                                \
        memcpy(&pair, x + t * x_stride + i, 4);                                                                  \
        __m512bh both = (__m512bh)_mm512_set1_epi32(pair);                                                       \
        _Pragma("unroll") for (int v = 0; v < VECTORS; v++) sums[t][v] = _mm512_dpbf16_ps(sums[t][v], both, columns[v]); \
      }                                                                                                          \
    }                                                                                                            \
    _Pragma("unroll") for (int t = 0; t < ROWS; t++) {                                                           \
      _Pragma("unroll") for (int v = 0; v < VECTORS; v++) {                                                      \
        _mm512_mask_storeu_ps(y + t * y_stride + 16 * v, masks[v], sums[t][v]);                                  \
      }                                                                                                          \
    }                                                                                                            \
  }

// Fetches lines `from` ..< `to` of what comes next into the second cache.
PAIRS_INLINE void fetch(const ck_next *next, long from, long to) {
  long lines = (next->bytes + 63) / 64;
  for (long line = from; line < to; line++) {
    _mm_prefetch((const char *)next->base + line / lines * next->stride + line % lines * 64, _MM_HINT_T1);
  }
}

// Fetches the part of the result that up to six more rows give.
PAIRS_INLINE void fetch_result(long rows, int vectors, const float *y, long y_stride) {
  for (long t = 0; t < rows && t < 6; t++) {
    for (int v = 0; v < vectors; v++) _mm_prefetch((const char *)(y + t * y_stride + 16 * v), _MM_HINT_T0);
  }
}

#define PANEL(VECTORS)                                                                                             \
  PANEL_ROWS(1, VECTORS)                                                                                         \
  PANEL_ROWS(2, VECTORS)                                                                                         \
  PANEL_ROWS(3, VECTORS)                                                                                         \
  PANEL_ROWS(4, VECTORS)                                                                                         \
  PANEL_ROWS(5, VECTORS)                                                                                         \
  PANEL_ROWS(6, VECTORS)                                                                                         \
  PAIRS static void panel_of_##VECTORS(                                                                          \
      long m, long n, long k, const uint16_t *x, long x_stride, const uint16_t *panel, const ck_next *next,      \
      int accumulate, float *y, long y_stride) {                                                                 \
    long lines = next->rows * ((next->bytes + 63) / 64), groups = (m + 5) / 6;                                   \
    long fetching = groups < LAST_GROUPS ? groups : LAST_GROUPS;                                                 \
    __mmask16 masks[VECTORS];                                                                                    \
    for (int v = 0; v < VECTORS; v++) masks[v] = first_words(n - 16 * v);                                        \
    for (long t = 0; t < m; t += 6, x += 6 * x_stride, y += 6 * y_stride) {                                      \
      long part = t / 6 - (groups - fetching);                                                                   \
      if (part >= 0) fetch(next, lines * part / fetching, lines * (part + 1) / fetching);                        \
      fetch_result(m - t - 6, VECTORS, y + 6 * y_stride, y_stride);                                              \
      switch (m - t) {                                                                                           \
        case 1: panel_1_##VECTORS(k, x, x_stride, panel, accumulate, y, y_stride, masks); break;                 \
        case 2: panel_2_##VECTORS(k, x, x_stride, panel, accumulate, y, y_stride, masks); break;                 \
        case 3: panel_3_##VECTORS(k, x, x_stride, panel, accumulate, y, y_stride, masks); break;                 \
        case 4: panel_4_##VECTORS(k, x, x_stride, panel, accumulate, y, y_stride, masks); break;                 \
        case 5: panel_5_##VECTORS(k, x, x_stride, panel, accumulate, y, y_stride, masks); break;                 \
        default: panel_6_##VECTORS(k, x, x_stride, panel, accumulate, y, y_stride, masks);                       \
      }                                                                                                          \
    }                                                                                                            \
  }

PANEL(1)
PANEL(2)
PANEL(4)

void ck_bf16_panel_product(
    long m, long n, long k, const uint16_t *x, long x_stride, const uint16_t *panel, int vectors, const ck_next *next,
    int accumulate, float *y, long y_stride) {
  switch (vectors) {
    case 1: panel_of_1(m, n, k, x, x_stride, panel, next, accumulate, y, y_stride); break;
    case 2: panel_of_2(m, n, k, x, x_stride, panel, next, accumulate, y, y_stride); break;
    default: panel_of_4(m, n, k, x, x_stride, panel, next, accumulate, y, y_stride);
  }
}

// MARK: Few rows

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

int ck_bf16_products_here(void) { return 0; }
int ck_bf16_few_nf4_takes(long k, const ck_nf4 *w) { return 0; }
void ck_bf16_pack_rows(const uint16_t *w, long stride, long n, long k, int vectors, uint16_t *panel) {}
void ck_bf16_pack_columns(const uint16_t *w, long stride, long n, long k, int vectors, uint16_t *panel) {}
void ck_bf16_panel_product(
    long m, long n, long k, const uint16_t *x, long x_stride, const uint16_t *panel, int vectors, const ck_next *next,
    int accumulate, float *y, long y_stride) {}
void ck_bf16_few_rows(
    long rows, long n, long k, const uint16_t *x, long x_stride, const uint16_t *w, long w_stride, const float *bias,
    float *y, long y_stride) {}
void ck_bf16_even_odd(long rows, long k, const uint16_t *x, long x_stride, uint16_t *out) {}
void ck_bf16_few_rows_nf4(
    long rows, long n, long k, const uint16_t *x, const ck_nf4 *w, long first, const float *bias, float *y,
    long y_stride) {}

#endif
