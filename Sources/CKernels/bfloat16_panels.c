// Products of bfloat16 numbers by AVX512-BF16.
//
// The right factor is packed, a panel of up to 64 columns of the result at a time, so that the sixteen lanes of a register are columns and
// the two numbers of a pair are neighbours of the contracted dimension; the rows of x are read as they lie, a pair broadcast to all lanes.
// Six rows of x meet a panel at once: 24 sums stay in registers. The first six meet it while it is packed, which costs little then: the
// units that shuffle are not those that multiply.
#include "bfloat16_pairs.h"

#if defined(__x86_64__)
#include <cpuid.h>

int ck_bf16_products_here(void) {
  unsigned a, b, c, d;
  if (!__builtin_cpu_supports("x86-64-v4") || !__get_cpuid_count(7, 1, &a, &b, &c, &d)) return 0;
  int pairs = (a >> 5) & 1;
  // Tiles of AMX are several times faster than this: there oneDNN has the better code.
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
  return pairs && !((d >> 22) & 1);
}

// A pair's columns in the widest panel, in numbers; the numbers of a row that fill a cache line; the rows of x that meet a panel at once.
enum { PAIR = 128, LINE = 32, ROWS_AT_ONCE = 6 };

// The compiler keeps what comes before and after apart: mixed, it would need more registers than there are.
#define APART __asm__ volatile("" ::: "memory")

// MARK: Sums

#define EACH_SUM(ROWS, VECTORS)                         \
  _Pragma("unroll") for (int t = 0; t < ROWS; t++)      \
  _Pragma("unroll") for (int v = 0; v < VECTORS; v++)

#define BEGIN_SUMS(ROWS, VECTORS, masks)                                                                          \
  __m512 sums[ROWS][VECTORS];                                                                                     \
  EACH_SUM(ROWS, VECTORS) {                                                                                       \
    sums[t][v] = accumulate ? _mm512_maskz_loadu_ps((masks)[v], y + t * y_stride + 16 * v) : _mm512_setzero_ps(); \
  }

#define END_SUMS(ROWS, VECTORS, masks) \
  EACH_SUM(ROWS, VECTORS) _mm512_mask_storeu_ps(y + t * y_stride + 16 * v, (masks)[v], sums[t][v])

// Adds the products of one pair of each row, which begins at `from`, and of that pair's columns.
#define ADD_PAIR(ROWS, VECTORS, from, columns)                                                                     \
  _Pragma("unroll") for (int t = 0; t < ROWS; t++) {                                                               \
    int pair;                                                                                                      \
    memcpy(&pair, (from) + t * x_stride, 4);                                                                       \
    __m512bh both = (__m512bh)_mm512_set1_epi32(pair);                                                             \
    _Pragma("unroll") for (int v = 0; v < VECTORS; v++) sums[t][v] = _mm512_dpbf16_ps(sums[t][v], both, (columns)[v]);\
  }

static const __mmask16 whole[4] = {0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF};

// MARK: Packing rows

// Numbers i ..< i + 8 of rows 0, 4, 8 and 12, a quarter of the register each. Strides are in bytes here.
PAIRS_INLINE __m512i quarters(const char *w, long four_rows) {
  __m256i lower = _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)w));
  __m256i upper = _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(w + 2 * four_rows)));
  lower = _mm256_inserti128_si256(lower, _mm_loadu_si128((const __m128i *)(w + four_rows)), 1);
  upper = _mm256_inserti128_si256(upper, _mm_loadu_si128((const __m128i *)(w + 3 * four_rows)), 1);
  return _mm512_inserti64x4(_mm512_castsi256_si512(lower), upper, 1);
}

// Four pairs of sixteen rows, each a register of a panel whose pairs are `pair` numbers apart.
PAIRS_INLINE void pack_four_pairs(const uint16_t *w, long stride, uint16_t *to, long pair) {
  const char *from = (const char *)w;
  long row = 2 * stride, four = 8 * stride;
  __m512i first = quarters(from, four), second = quarters(from + row, four);
  __m512i a = _mm512_unpacklo_epi32(first, second), b = _mm512_unpackhi_epi32(first, second);
  APART;
  __m512i third = quarters(from + 2 * row, four), fourth = quarters(from + 3 * row, four);
  __m512i c = _mm512_unpacklo_epi32(third, fourth), d = _mm512_unpackhi_epi32(third, fourth);
  _mm512_store_si512(to, _mm512_unpacklo_epi64(a, c));
  _mm512_store_si512(to + pair, _mm512_unpackhi_epi64(a, c));
  _mm512_store_si512(to + 2 * pair, _mm512_unpacklo_epi64(b, d));
  _mm512_store_si512(to + 3 * pair, _mm512_unpackhi_epi64(b, d));
}

// A line of sixteen rows.
PAIRS_INLINE void pack_line(const uint16_t *w, long stride, uint16_t *to, long pair) {
  for (int q = 0; q < 4; q++) pack_four_pairs(w + 8 * q, stride, to + 4 * q * pair, pair);
}

// Rows 0 ..< n of w (n, k) become columns of the panel; what w doesn't have is zero.
PAIRS static void pack_rows(const uint16_t *w, long stride, long n, long k, int vectors, uint16_t *panel) {
  long pair = LINE * vectors;
  for (long i = 0; i < k; i += LINE) {
    for (int v = 0; v < vectors; v++) {
      uint16_t *to = panel + i / 2 * pair + LINE * v;
      const uint16_t *from = w + 16 * v * stride + i;
      if (16 * v + 16 <= n && i + LINE <= k) {
        pack_line(from, stride, to, pair);
        continue;
      }
      uint16_t part[16 * LINE] __attribute__((aligned(64))) = {0};
      for (long row = 0; row < 16 && 16 * v + row < n; row++) {
        _mm512_store_si512(part + LINE * row, _mm512_maskz_loadu_epi16(first_halves(k - i), from + row * stride));
      }
      pack_line(part, LINE, to, pair);
    }
  }
}

// Packs 64 rows of w and multiplies six rows of x with them; k is whole lines. While a line's pairs are multiplied, the next line is
// packed, sixteen rows of it with every fourth of the pairs, and the line after that is fetched: the processor does not foresee what
// lies a row apart.
PAIRS static void multiply_packing_rows(
    long k, const uint16_t *x, long x_stride, const uint16_t *w, long stride, uint16_t *panel, int accumulate, float *y,
    long y_stride) {
  BEGIN_SUMS(ROWS_AT_ONCE, 4, whole)
  for (int v = 0; v < 4; v++) pack_line(w + 16 * v * stride, stride, panel + LINE * v, PAIR);
  for (long i = 0; i < k; i += LINE) {
    int more = i + LINE < k;
    _Pragma("nounroll") for (int v = 0; v < 4; v++) {
      const uint16_t *coming = w + 16 * v * stride + i + LINE, *packed = panel + (i / 2 + 4 * v) * PAIR;
      uint16_t *to = panel + (i + LINE) / 2 * PAIR + LINE * v;
      _Pragma("nounroll") for (int q = 0; q < 4; q++) {
        if (more) {
          pack_four_pairs(coming + 8 * q, stride, to + 4 * q * PAIR, PAIR);
          for (int row = 4 * q; row < 4 * q + 4; row++) {
            _mm_prefetch((const char *)(coming + row * stride + LINE), _MM_HINT_T0);
          }
          APART;
        }
        const uint16_t *from = x + i + 8 * v + 2 * q;
        __m512bh columns[4];
        _Pragma("unroll") for (int c = 0; c < 4; c++) columns[c] = (__m512bh)_mm512_load_si512(packed + LINE * c);
        ADD_PAIR(ROWS_AT_ONCE, 4, from, columns)
        packed += PAIR;
        APART;
      }
    }
  }
  END_SUMS(ROWS_AT_ONCE, 4, whole);
}

// MARK: Packing columns

// How many rows ahead of its use w is fetched from the second cache.
enum { ROWS_AHEAD = 32 };

// For vpermt2w: the numbers of two registers by turns, of their lower and of their upper halves.
static const uint16_t by_turns[2][32] = {
    {0, 32, 1, 33, 2,  34, 3,  35, 4,  36, 5,  37, 6,  38, 7,  39,
     8, 40, 9, 41, 10, 42, 11, 43, 12, 44, 13, 45, 14, 46, 15, 47},
    {16, 48, 17, 49, 18, 50, 19, 51, 20, 52, 21, 53, 22, 54, 23, 55,
     24, 56, 25, 57, 26, 58, 27, 59, 28, 60, 29, 61, 30, 62, 31, 63}};

// Columns 0 ..< n of w (k, n) become columns of the panel; what w doesn't have is zero.
PAIRS static void pack_columns(const uint16_t *w, long stride, long n, long k, int vectors, uint16_t *panel) {
  const __m512i lower = _mm512_loadu_si512(by_turns[0]), upper = _mm512_loadu_si512(by_turns[1]);
  for (long i = 0; i < k; i += 2, panel += LINE * vectors) {
    for (int v = 0; v < vectors; v += 2) {
      __mmask32 mask = first_halves(n - 16 * v);
      const uint16_t *from = w + i * stride + 16 * v;
      _mm_prefetch((const char *)(from + ROWS_AHEAD * stride), _MM_HINT_T0);
      _mm_prefetch((const char *)(from + (ROWS_AHEAD + 1) * stride), _MM_HINT_T0);
      __m512i first = _mm512_maskz_loadu_epi16(mask, from);
      __m512i second = i + 1 < k ? _mm512_maskz_loadu_epi16(mask, from + stride) : _mm512_setzero_si512();
      _mm512_store_si512(panel + LINE * v, _mm512_permutex2var_epi16(first, lower, second));
      if (v + 1 < vectors) {
        _mm512_store_si512(panel + LINE * (v + 1), _mm512_permutex2var_epi16(first, upper, second));
      }
    }
  }
}

// Packs 64 columns of w and multiplies six rows of x with them; k is even.
PAIRS static void multiply_packing_columns(
    long k, const uint16_t *x, long x_stride, const uint16_t *w, long stride, uint16_t *panel, int accumulate, float *y,
    long y_stride) {
  const __m512i lower = _mm512_loadu_si512(by_turns[0]), upper = _mm512_loadu_si512(by_turns[1]);
  BEGIN_SUMS(ROWS_AT_ONCE, 4, whole)
  for (long i = 0; i < k; i += 2, w += 2 * stride, panel += PAIR) {
    __m512bh columns[4];
    _Pragma("unroll") for (int c = 0; c < 4; c += 2) {
      const uint16_t *from = w + 16 * c;
      _mm_prefetch((const char *)(from + ROWS_AHEAD * stride), _MM_HINT_T0);
      _mm_prefetch((const char *)(from + (ROWS_AHEAD + 1) * stride), _MM_HINT_T0);
      __m512i first = _mm512_loadu_si512(from), second = _mm512_loadu_si512(from + stride);
      columns[c] = (__m512bh)_mm512_permutex2var_epi16(first, lower, second);
      columns[c + 1] = (__m512bh)_mm512_permutex2var_epi16(first, upper, second);
    }
    _Pragma("unroll") for (int c = 0; c < 4; c++) _mm512_store_si512(panel + LINE * c, (__m512i)columns[c]);
    ADD_PAIR(ROWS_AT_ONCE, 4, x + i, columns)
  }
  END_SUMS(ROWS_AT_ONCE, 4, whole);
}

// MARK: Panels

// How far ahead of its use the panel is fetched from the second cache, in numbers.
enum { AHEAD = 1024 };

// Lines that are fetched into the second cache, one now and one then: many at once would keep the products waiting.
typedef struct {
  const char *line;
  long left, lines_a_row, rows, gap;
} walk;

PAIRS_INLINE walk walk_of(const ck_next *next) {
  long lines = (next->bytes + 63) / 64;
  return (walk){next->base, lines, lines, lines > 0 ? next->rows : 0, next->stride - 64 * lines};
}

PAIRS_INLINE void fetch_line(walk *w) {
  if (w->rows <= 0) return;
  _mm_prefetch(w->line, _MM_HINT_T1);
  w->line += 64;
  if (--w->left > 0) return;
  w->left = w->lines_a_row;
  w->line += w->gap;
  w->rows--;
}

// ROWS rows of x against a panel of VECTORS registers a pair. Meanwhile a line of what comes next is fetched every `pace` numbers, a power
// of two, and the next six rows of x.
#define PANEL_ROWS(ROWS, VECTORS)                                                                                 \
  PAIRS_INLINE void panel_##ROWS##_##VECTORS(                                                                     \
      long k, const uint16_t *x, long x_stride, const uint16_t *panel, walk *coming, long pace, int accumulate,   \
      float *y, long y_stride, const __mmask16 *masks) {                                                          \
    walk next = *coming;                                                                                          \
    BEGIN_SUMS(ROWS, VECTORS, masks)                                                                              \
    for (long i = 0; i < k; i += 2, panel += LINE * VECTORS) {                                                    \
      if (ROWS == ROWS_AT_ONCE && (i & (pace - 1)) == 0) fetch_line(&next);                                       \
      if (ROWS == ROWS_AT_ONCE && i % LINE == 0) {                                                                \
        for (int t = 0; t < ROWS; t++) _mm_prefetch((const char *)(x + (ROWS + t) * x_stride + i), _MM_HINT_T1);  \
      }                                                                                                           \
      __m512bh columns[VECTORS];                                                                                  \
      _Pragma("unroll") for (int v = 0; v < VECTORS; v++) {                                                       \
        columns[v] = (__m512bh)_mm512_load_si512(panel + LINE * v);                                               \
        _mm_prefetch((const char *)(panel + LINE * v + AHEAD), _MM_HINT_T0);                                      \
      }                                                                                                           \
      ADD_PAIR(ROWS, VECTORS, x + i, columns)                                                                     \
    }                                                                                                             \
    END_SUMS(ROWS, VECTORS, masks);                                                                               \
    *coming = next;                                                                                               \
  }

// Fetches the part of the result that up to six more rows give.
PAIRS_INLINE void fetch_result(long rows, int vectors, const float *y, long y_stride) {
  for (long t = 0; t < rows && t < ROWS_AT_ONCE; t++) {
    for (int v = 0; v < vectors; v++) _mm_prefetch((const char *)(y + t * y_stride + 16 * v), _MM_HINT_T0);
  }
}

// What comes next is fetched as late as it can be: earlier it would leave the second cache again before it is packed.
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
    walk coming = walk_of(next), nothing = {0};                                                                  \
    long groups = m / ROWS_AT_ONCE, lines = coming.rows * coming.lines_a_row;                                    \
    long pace = 4 * lines <= groups * k ? 4 : 2;                                                                 \
    long begin = groups - (pace * lines + k - 1) / k - 2;                                                        \
    __mmask16 masks[VECTORS];                                                                                    \
    for (int v = 0; v < VECTORS; v++) masks[v] = first_words(n - 16 * v);                                        \
    for (long group = 0; m > 0; group++, m -= 6, x += 6 * x_stride, y += 6 * y_stride) {                         \
      walk *fetched = group < begin ? &nothing : &coming;                                                        \
      fetch_result(m - 6, VECTORS, y + 6 * y_stride, y_stride);                                                  \
      switch (m) {                                                                                               \
        case 1: panel_1_##VECTORS(k, x, x_stride, panel, fetched, pace, accumulate, y, y_stride, masks); break;  \
        case 2: panel_2_##VECTORS(k, x, x_stride, panel, fetched, pace, accumulate, y, y_stride, masks); break;  \
        case 3: panel_3_##VECTORS(k, x, x_stride, panel, fetched, pace, accumulate, y, y_stride, masks); break;  \
        case 4: panel_4_##VECTORS(k, x, x_stride, panel, fetched, pace, accumulate, y, y_stride, masks); break;  \
        case 5: panel_5_##VECTORS(k, x, x_stride, panel, fetched, pace, accumulate, y, y_stride, masks); break;  \
        default: panel_6_##VECTORS(k, x, x_stride, panel, fetched, pace, accumulate, y, y_stride, masks);        \
      }                                                                                                          \
    }                                                                                                            \
  }

PANEL(1)
PANEL(2)
PANEL(4)

void ck_bf16_panel_product(
    long m, long n, long k, const uint16_t *x, long x_stride, const ck_bf16_right *right, int vectors, uint16_t *panel,
    const ck_next *next, int accumulate, float *y, long y_stride) {
  const uint16_t *w = right->numbers;
  if (m >= ROWS_AT_ONCE && n == 64 && vectors == 4 && k % (right->transposed ? LINE : 2) == 0) {
    (right->transposed ? multiply_packing_rows : multiply_packing_columns)(
        k, x, x_stride, w, right->stride, panel, accumulate, y, y_stride);
    m -= ROWS_AT_ONCE;
    x += ROWS_AT_ONCE * x_stride;
    y += ROWS_AT_ONCE * y_stride;
  } else {
    (right->transposed ? pack_rows : pack_columns)(w, right->stride, n, k, vectors, panel);
  }
  switch (vectors) {
    case 1: panel_of_1(m, n, k, x, x_stride, panel, next, accumulate, y, y_stride); break;
    case 2: panel_of_2(m, n, k, x, x_stride, panel, next, accumulate, y, y_stride); break;
    default: panel_of_4(m, n, k, x, x_stride, panel, next, accumulate, y, y_stride);
  }
}

#else

int ck_bf16_products_here(void) { return 0; }
void ck_bf16_panel_product(
    long m, long n, long k, const uint16_t *x, long x_stride, const ck_bf16_right *right, int vectors, uint16_t *panel,
    const ck_next *next, int accumulate, float *y, long y_stride) {}

#endif
