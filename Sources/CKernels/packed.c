// Codes of 4 to 8 bits with scales in one or two levels, as GGUF's blocks hold them, packed for products with a few rows.
//
// Sixteen rows of the weight lie side by side: a register of 64 bytes is four neighbouring codes of each. A chunk is such rows' numbers of
// one block (of 32 or 256): factors, least factors, scales, minima, codes, and the chunks of sixteen rows follow one another, so that a
// product is a single stream through memory. A number is (factor · scale) · (code − zero) − least · minimum.
#include "vector.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

// A tile is 32 columns of sixteen rows: eight groups of four columns.
enum { ROWS = 16, TILE = 32, GROUPS = 8, MOST_ROWS = 4 };

// How far ahead codes are fetched, in bytes.
enum { FETCHED = 4096 };

typedef int32_t ints __attribute__((ext_vector_type(16)));
typedef uint32_t packed_words __attribute__((ext_vector_type(16), aligned(4), may_alias));

INLINE long smaller(long a, long b) { return a < b ? a : b; }

/// `super` numbers share a factor, `block` a scale and a minimum (0: there are no scales).
typedef struct {
  int bits, zero, super, block, has_minima;
} layout;

#define EACH_FORMAT(X)                               \
  X(CK_PACKED_Q4_0, ((layout){4, 8, 32, 0, 0}))      \
  X(CK_PACKED_Q4_1, ((layout){4, 0, 32, 0, 1}))      \
  X(CK_PACKED_Q5_0, ((layout){5, 16, 32, 0, 0}))     \
  X(CK_PACKED_Q5_1, ((layout){5, 0, 32, 0, 1}))      \
  X(CK_PACKED_Q8_0, ((layout){8, 128, 32, 0, 0}))    \
  X(CK_PACKED_Q4_K, ((layout){4, 0, 256, 32, 1}))    \
  X(CK_PACKED_Q5_K, ((layout){5, 0, 256, 32, 1}))    \
  X(CK_PACKED_Q6_K, ((layout){6, 32, 256, 16, 0}))

// A chunk: sixteen factors, sixteen least factors, sixteen scales a block, sixteen minima a block, codes.
INLINE long scales_offset(layout l) { return l.has_minima ? 64 : 32; }
INLINE long minima_offset(layout l) { return scales_offset(l) + (l.block ? ROWS * l.super / l.block : 0); }
INLINE long codes_offset(layout l) {
  return minima_offset(l) + (l.block && l.has_minima ? ROWS * l.super / l.block : 0);
}
INLINE long chunk_bytes(layout l) { return codes_offset(l) + l.super / TILE * 64 * l.bits; }

static layout layout_of(int format) {
#define CASE(FORMAT, LAYOUT) \
  case FORMAT: return LAYOUT;
  switch (format) { EACH_FORMAT(CASE) }
#undef CASE
  return (layout){8, 128, 32, 0, 0};
}

long ck_packed_chunk_bytes(int format) { return chunk_bytes(layout_of(format)); }
long ck_packed_chunk_columns(int format) { return layout_of(format).super; }
long ck_packed_block_columns(int format) { return layout_of(format).block; }

// MARK: Packing

// 64 bytes of four codes a row: their low four bits (or all eight) go to one of `lines`, the ones above to the lines after them.
INLINE void pack_group(layout l, int group, const uint32_t *codes, packed_words *lines) {
  words all = *(const packed_words *)codes;
  if (l.bits == 8) {
    lines[group] = all;
    return;
  }
  lines[group % 4] |= (all & 0x0F0F0F0Fu) << (group / 4 * 4);
  if (l.bits == 5) lines[4] |= ((all >> 4) & 0x01010101u) << group;
  if (l.bits == 6) lines[4 + group / 4] |= ((all >> 4) & 0x03030303u) << (group % 4 * 2);
}

// The codes of one group in the low bits of its bytes.
INLINE void codes_of_group(layout l, const uint8_t *tile, int group, words *out) {
  const packed_words *lines = (const packed_words *)tile;
  if (l.bits == 8) {
    *out = lines[group];
    return;
  }
  words low = (lines[group % 4] >> (group / 4 * 4)) & 0x0F0F0F0Fu;
  if (l.bits == 5) {
    int shift = group - 4;
    words high = shift < 0 ? lines[4] << -shift : lines[4] >> shift;
    low |= high & 0x10101010u;
  }
  if (l.bits == 6) {
    int shift = group % 4 * 2 - 4;
    words high = shift < 0 ? lines[4 + group / 4] << -shift : lines[4 + group / 4] >> shift;
    low |= high & 0x30303030u;
  }
  *out = low;
}

KERNEL static void pack_chunk(layout l, const ck_packed_parts *from, long rows, long columns, long index, uint8_t *chunk) {
  long factors = columns / l.super, scales = l.block ? columns / l.block : 0, some = l.block ? l.super / l.block : 0;
  memset(chunk, 0, (size_t)chunk_bytes(l));
  for (long r = 0; r < rows; r++) {
    memcpy(chunk + 2 * r, from->factors + r * factors + index, 2);
    if (l.has_minima) memcpy(chunk + 32 + 2 * r, from->least + r * factors + index, 2);
    for (long b = 0; b < some; b++) {
      chunk[scales_offset(l) + ROWS * b + r] = from->scales[r * scales + index * some + b];
      if (l.has_minima) chunk[minima_offset(l) + ROWS * b + r] = from->minima[r * scales + index * some + b];
    }
  }
  for (long tile = 0; tile < l.super / TILE; tile++) {
    packed_words *lines = (packed_words *)(chunk + codes_offset(l) + tile * 64 * l.bits);
    for (int group = 0; group < GROUPS; group++) {
      uint32_t codes[ROWS] = {0};
      for (long r = 0; r < rows; r++) {
        memcpy(codes + r, from->codes + r * columns + index * l.super + tile * TILE + 4 * group, 4);
      }
      pack_group(l, group, codes, lines);
    }
  }
}

void ck_packed_take(int format, const ck_packed_parts *from, long rows, long columns, uint8_t *to) {
  layout l = layout_of(format);
  for (long i = 0; i < columns / l.super; i++) pack_chunk(l, from, rows, columns, i, to + i * chunk_bytes(l));
}

long ck_packed_first_not_finite(const ck_packed *w, long rows) {
  layout l = layout_of(w->format);
  long chunks = w->columns / l.super;
  for (long r = 0; r < rows; r++) {
    const uint8_t *chunk = w->bytes + r / ROWS * chunks * chunk_bytes(l);
    for (long i = 0; i < chunks; i++, chunk += chunk_bytes(l)) {
      for (int part = 0; part <= l.has_minima; part++) {
        uint16_t half;
        memcpy(&half, chunk + 32 * part + 2 * (r % ROWS), 2);
        if ((half & 0x7C00) == 0x7C00) return r;
      }
    }
  }
  return -1;
}

// MARK: Unpacking

// Sixteen finite binary16 numbers, exactly, the subnormal ones too.
INLINE void half_lanes(const uint8_t *from, lanes *out) {
  words wide = __builtin_convertvector(*(const halves *)from, words);
  words magnitude = (wide & 0x7FFFu) << 13;
  lanes value;
  memcpy(&value, &magnitude, sizeof value);
  value *= 0x1p112f;  // exponent 15 → 127
  words bits;
  memcpy(&bits, &value, sizeof bits);
  bits |= (wide & 0x8000u) << 16;
  memcpy(out, &bits, sizeof bits);
}

// The numbers of one tile, row by row.
INLINE void numbers_of_tile(layout l, const uint8_t *chunk, int tile, float out[ROWS][TILE]) {
  lanes factor, least;
  half_lanes(chunk, &factor);
  if (l.has_minima) half_lanes(chunk + 32, &least);
  const int8_t *scales = (const int8_t *)chunk + scales_offset(l), *minima = (const int8_t *)chunk + minima_offset(l);
  float scale[2][ROWS], minimum[ROWS];
  for (int half = 0; half < 2; half++) {
    int block = l.block == 16 ? 2 * tile + half : tile;
    STORE(scale[half], l.block ? factor * INT8_LANES(scales + ROWS * block) : factor);
  }
  if (l.has_minima) STORE(minimum, l.block ? least * INT8_LANES(minima + ROWS * tile) : least);
  uint32_t codes[GROUPS][ROWS];
  for (int group = 0; group < GROUPS; group++) {
    words four;
    codes_of_group(l, chunk + codes_offset(l) + tile * 64 * l.bits, group, &four);
    memcpy(codes[group], &four, sizeof four);
  }
  for (int r = 0; r < ROWS; r++) {
    uint32_t row[GROUPS];
    for (int group = 0; group < GROUPS; group++) row[group] = codes[group][r];
    const uint8_t *bytes = (const uint8_t *)row;
    for (int i = 0; i < TILE; i++) {
      float value = scale[i / 16][r] * (float)(bytes[i] - l.zero);
      out[r][i] = l.has_minima ? value - minimum[r] : value;
    }
  }
}

// The tiles that touch rows and columns, each cut to them.
#define UNPACK(NAME, TYPE, NUMBER)                                                                                  \
  INLINE void NAME##_of(                                                                                            \
      layout l, const ck_packed *w, long row, long rows, long column, long columns, TYPE *out, long out_stride) {   \
    long last_row = row + rows, last_column = column + columns;                                                     \
    for (long r = row / ROWS * ROWS; r < last_row; r += ROWS) {                                                     \
      for (long c = column / TILE * TILE; c < last_column; c += TILE) {                                             \
        float numbers[ROWS][TILE];                                                                                  \
        const uint8_t *chunk = w->bytes + (r / ROWS * (w->columns / l.super) + c / l.super) * chunk_bytes(l);       \
        numbers_of_tile(l, chunk, (int)(c % l.super / TILE), numbers);                                              \
        long from = c < column ? column : c, to = smaller(c + TILE, last_column);                                   \
        for (long i = r < row ? row : r; i < smaller(r + ROWS, last_row); i++) {                                    \
          TYPE *target = out + (i - row) * out_stride - column;                                                     \
          if (to - from == TILE) {                                                                                  \
            for (long j = 0; j < TILE; j++) target[c + j] = NUMBER(numbers[i - r][j]);                              \
          } else {                                                                                                  \
            for (long j = from; j < to; j++) target[j] = NUMBER(numbers[i - r][j - c]);                             \
          }                                                                                                         \
        }                                                                                                           \
      }                                                                                                             \
    }                                                                                                               \
  }                                                                                                                 \
  KERNEL void NAME(                                                                                                 \
      const ck_packed *w, long row, long rows, long column, long columns, TYPE *out, long out_stride) {             \
    switch (w->format) { EACH_FORMAT(NAME##_CASE) }                                                                 \
  }

#define FLOAT_NUMBER(value) (value)
#define ck_packed_to_f32_CASE(FORMAT, LAYOUT) \
  case FORMAT: ck_packed_to_f32_of(LAYOUT, w, row, rows, column, columns, out, out_stride); break;
#define ck_packed_to_bf16_CASE(FORMAT, LAYOUT) \
  case FORMAT: ck_packed_to_bf16_of(LAYOUT, w, row, rows, column, columns, out, out_stride); break;

UNPACK(ck_packed_to_f32, float, FLOAT_NUMBER)
UNPACK(ck_packed_to_bf16, uint16_t, float_to_bfloat16)

// MARK: Products

KERNEL void ck_int8_round(
    long rows, long k, const float *x, long x_stride, int8_t *codes, float *scales, float *sums, int32_t *halves) {
  const float shifter = 12582912.0f;  // 1.5 · 2^23: adding it rounds to a whole number
  for (long b = 0; b < rows * (k / TILE); b++) {
    const float *from = x + b / (k / TILE) * x_stride + b % (k / TILE) * TILE;
    float largest = 0;
    for (int i = 0; i < TILE; i++) largest = fabsf(from[i]) > largest ? fabsf(from[i]) : largest;
    // Below the smallest normal number 127 / largest would be infinite.
    float inverse = largest > 0x1p-119f ? 127.0f / largest : 0.0f;
    int32_t whole[TILE];
    for (int i = 0; i < TILE; i++) whole[i] = (int32_t)((from[i] * inverse + shifter) - shifter);
    int32_t first = 0, second = 0;
    for (int i = 0; i < 16; i++) {
      first += whole[i];
      second += whole[16 + i];
    }
    for (int i = 0; i < TILE; i++) codes[b * TILE + i] = (int8_t)whole[i];
    scales[b] = largest / 127.0f;
    sums[b] = scales[b] * (float)(first + second);
    halves[2 * b] = first;
    halves[2 * b + 1] = second;
  }
}

// Each path has one step: four codes a lane times four numbers of x, added to sixteen sums.

INLINE void dot_portable(ints *sum, const words *codes, int32_t four, int bits) {
  for (int i = 0; i < 4; i++) {
    *sum += (ints)((*codes >> (8 * i)) & 255u) * (ints)(int32_t)(int8_t)(four >> (8 * i));
  }
}

#define PATH(name) name##_portable
#define TARGET
#define DOT dot_portable
#include "packed_path.h"
#undef PATH
#undef TARGET
#undef DOT

#if defined(__x86_64__)

#define AVX2 __attribute__((target("arch=x86-64-v3")))

// Sums of two products are 16-bit, which those of 8-bit codes may not fit: they are taken in two halves.
AVX2 INLINE void dot_avx2(ints *sum, const words *codes, int32_t four, int bits) {
  const __m256i ones = _mm256_set1_epi16(1), sixteens = _mm256_set1_epi16(16), nibble = _mm256_set1_epi8(15);
  __m256i x = _mm256_set1_epi32(four);
  _Pragma("unroll") for (int half = 0; half < 2; half++) {
    __m256i code = _mm256_loadu_si256((const __m256i *)codes + half), total = _mm256_loadu_si256((__m256i *)sum + half);
    __m256i low = bits == 8 ? _mm256_and_si256(code, nibble) : code;
    total = _mm256_add_epi32(total, _mm256_madd_epi16(_mm256_maddubs_epi16(low, x), ones));
    if (bits == 8) {
      __m256i high = _mm256_and_si256(_mm256_srli_epi16(code, 4), nibble);
      total = _mm256_add_epi32(total, _mm256_madd_epi16(_mm256_maddubs_epi16(high, x), sixteens));
    }
    _mm256_storeu_si256((__m256i *)sum + half, total);
  }
}

#define PATH(name) name##_avx2
#define TARGET AVX2
#define DOT dot_avx2
#include "packed_path.h"
#undef PATH
#undef TARGET
#undef DOT

#define VNNI __attribute__((target("arch=x86-64-v4,avx512vnni")))

VNNI INLINE void dot_vnni(ints *sum, const words *codes, int32_t four, int bits) {
  __m512i total = _mm512_loadu_si512(sum);
  _mm512_storeu_si512(sum, _mm512_dpbusd_epi32(total, _mm512_loadu_si512(codes), _mm512_set1_epi32(four)));
}

#define PATH(name) name##_vnni
#define TARGET VNNI
#define DOT dot_vnni
#include "packed_path.h"
#undef PATH
#undef TARGET
#undef DOT

#endif

int ck_packed_fastest_path(void) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("x86-64-v4") && __builtin_cpu_supports("avx512vnni")) return CK_PACKED_VNNI;
  if (__builtin_cpu_supports("x86-64-v3")) return CK_PACKED_AVX2;
#endif
  return CK_PACKED_PORTABLE;
}

void ck_packed_few_rows(
    const ck_packed *w, long first, long n, const ck_int8_rows *x, const float *bias, float *y, long y_stride) {
#if defined(__x86_64__)
  if (w->path == CK_PACKED_VNNI) return packed_few_rows_vnni(w, first, n, x, bias, y, y_stride);
  if (w->path == CK_PACKED_AVX2) return packed_few_rows_avx2(w, first, n, x, bias, y, y_stride);
#endif
  packed_few_rows_portable(w, first, n, x, bias, y, y_stride);
}
