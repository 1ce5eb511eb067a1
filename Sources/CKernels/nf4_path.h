// The NF4 kernels of one path: included by nf4.c once for each, with PATH(name) and TARGET defined. No guard: that is the use.

// out (rows, columns) ← numbers first, first + 1 …; the next row begins `stride` numbers on.
#define WIDEN_ROWS(NAME, TYPE, TABLE, STEP, BYTES)                                                                 \
  TARGET static void PATH(NAME)(                                                                                 \
      const ck_nf4 *w, long first, long rows, long columns, long stride, TYPE *out, long out_stride) {           \
    for (long row = 0; row < rows; row++) {                                                                      \
      long at = first + row * stride, end = at + columns;                                                        \
      TYPE *to = out + row * out_stride;                                                                         \
      while (at < end) {                                                                                         \
        long block = at >> w->block_shift, last = smaller(end, (block + 1) << w->block_shift);                   \
        TYPE table[16];                                                                                          \
        TABLE(w, block, table);                                                                                  \
        if (at & 1) *to++ = table[w->codes[at++ / 2] & 15];                                                      \
        for (; at + 2 * BYTES <= last; at += 2 * BYTES, to += 2 * BYTES) PATH(STEP)(w->codes + at / 2, table, to); \
        for (; at + 2 <= last; at += 2) {                                                                        \
          *to++ = table[w->codes[at / 2] >> 4];                                                                  \
          *to++ = table[w->codes[at / 2] & 15];                                                                  \
        }                                                                                                        \
        if (at < last) *to++ = table[w->codes[at++ / 2] >> 4];                                                   \
      }                                                                                                          \
    }                                                                                                            \
  }

WIDEN_ROWS(nf4_to_f32, float, float_table, sixteen, 8)
WIDEN_ROWS(nf4_to_bf16, uint16_t, bfloat16_table, thirty_two, 16)

// The rows of w from number `first` on, four at once, against x rows 0..<ROWS, as in few.c: sums of sixteen lanes that do not
// depend on the number of rows. Rows of w are whole blocks.
#define FEW_NF4_ROWS(ROWS)                                                                                         \
  TARGET INLINE void PATH(four_nf4_##ROWS)(                                                                      \
      long k, const float *x, long x_stride, const ck_nf4 *w, const long four[4], const float *bias, float *y,   \
      long y_stride, int weights) {                                                                              \
    FUSED                                                                                                        \
    lanes sum[ROWS][4];                                                                                          \
    for (int t = 0; t < ROWS; t++) {                                                                             \
      for (int o = 0; o < 4; o++) sum[t][o] = (lanes)0.0f;                                                       \
    }                                                                                                            \
    long block_size = 1L << w->block_shift;                                                                      \
    for (long i = 0; i < k; i += block_size) {                                                                   \
      float table[4][16];                                                                                        \
      const uint8_t *codes[4];                                                                                   \
      for (int o = 0; o < 4; o++) {                                                                              \
        float_table(w, (four[o] + i) >> w->block_shift, table[o]);                                               \
        codes[o] = w->codes + (four[o] + i) / 2;                                                                 \
      }                                                                                                          \
      for (long j = 0; j < block_size; j += 16) {                                                                \
        float line[4][16];                                                                                       \
        _Pragma("unroll") for (int o = 0; o < 4; o++) PATH(sixteen)(codes[o] + j / 2, table[o], line[o]);        \
        _Pragma("unroll") for (int t = 0; t < ROWS; t++) {                                                       \
          lanes from = LOAD(x + t * x_stride + i + j);                                                           \
          _Pragma("unroll") for (int o = 0; o < 4; o++) sum[t][o] += from * LOAD(line[o]);                       \
        }                                                                                                        \
      }                                                                                                          \
    }                                                                                                            \
    for (int t = 0; t < ROWS; t++) {                                                                             \
      for (int o = 0; o < weights; o++) {                                                                        \
        float total = SUM_OF_LANES(sum[t][o]);                                                                   \
        y[t * y_stride + o] = bias ? total + bias[o] : total;                                                    \
      }                                                                                                          \
    }                                                                                                            \
  }

FEW_NF4_ROWS(1)
FEW_NF4_ROWS(2)
FEW_NF4_ROWS(3)
FEW_NF4_ROWS(4)

TARGET static void PATH(linear_few_nf4)(
    long rows, long n, long k, const float *x, long x_stride, const ck_nf4 *w, long first, const float *bias, float *y,
    long y_stride) {
  for (long o = 0; o < n; o += 4) {
    int weights = n - o < 4 ? (int)(n - o) : 4;
    long four[4];
    for (int j = 0; j < 4; j++) four[j] = first + (o + (j < weights ? j : 0)) * k;
    const float *some_bias = bias ? bias + o : NULL;
    for (long t = 0; t < rows; t += 4) {
      const float *from = x + t * x_stride;
      float *to = y + t * y_stride + o;
      switch (rows - t) {
        case 1: PATH(four_nf4_1)(k, from, x_stride, w, four, some_bias, to, y_stride, weights); break;
        case 2: PATH(four_nf4_2)(k, from, x_stride, w, four, some_bias, to, y_stride, weights); break;
        case 3: PATH(four_nf4_3)(k, from, x_stride, w, four, some_bias, to, y_stride, weights); break;
        default: PATH(four_nf4_4)(k, from, x_stride, w, four, some_bias, to, y_stride, weights); break;
      }
    }
  }
}

#undef WIDEN_ROWS
#undef FEW_NF4_ROWS
