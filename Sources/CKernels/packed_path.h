// The product of a few rows with packed codes on one path: included by packed.c once for each, with PATH(name), TARGET and
// DOT(sum, codes, four, bits) defined. No guard: that is the use.

// Sixteen rows of the weight, whose chunks begin at `chunk`, against rows 0..<rows of x from row `first` on; `sums` are their dot products.
TARGET INLINE void PATH(sixteen_rows)(
    layout l, int rows, long k, const uint8_t *chunk, const ck_int8_rows *x, long first, lanes *sums) {
  FUSED
  long blocks = k / TILE;
  for (int t = 0; t < rows; t++) sums[t] = (lanes)0.0f;
  for (long b = 0; b < blocks; chunk += chunk_bytes(l)) {
    lanes scaled[MOST_ROWS], lowered[MOST_ROWS];
    for (int t = 0; t < rows; t++) scaled[t] = lowered[t] = (lanes)0.0f;
    const uint8_t *codes = chunk + codes_offset(l);
    for (long at = 0; at < codes_offset(l); at += 64) __builtin_prefetch(chunk + at + FETCHED);
    for (int tile = 0; tile < l.super / TILE; tile++, b++, codes += 64 * l.bits) {
      ints part[MOST_ROWS][2];
      _Pragma("unroll") for (int t = 0; t < rows; t++) {
        const int32_t *halves = x->halves + ((first + t) * blocks + b) * 2;
        part[t][0] = (ints)(-l.zero * halves[0]);
        part[t][1] = (ints)(-l.zero * halves[1]);
      }
      _Pragma("unroll") for (int line = 0; line < l.bits; line++) __builtin_prefetch(codes + 64 * line + FETCHED);
      _Pragma("unroll") for (int group = 0; group < GROUPS; group++) {
        words four_codes;
        codes_of_group(l, codes, group, &four_codes);
        _Pragma("unroll") for (int t = 0; t < rows; t++) {
          int32_t four;
          memcpy(&four, x->codes + (first + t) * k + b * TILE + 4 * group, 4);
          DOT(&part[t][group / 4], &four_codes, four, l.bits);
        }
      }
      const int8_t *scales = (const int8_t *)chunk + scales_offset(l), *minima = (const int8_t *)chunk + minima_offset(l);
      _Pragma("unroll") for (int t = 0; t < rows; t++) {
        float scale = x->scales[(first + t) * blocks + b], sum = x->sums[(first + t) * blocks + b];
        if (l.block == 16) {
          lanes both = __builtin_convertvector(part[t][0], lanes) * INT8_LANES(scales + 32 * tile) +
                       __builtin_convertvector(part[t][1], lanes) * INT8_LANES(scales + 32 * tile + 16);
          scaled[t] += both * scale;
          continue;
        }
        lanes whole = __builtin_convertvector(part[t][0] + part[t][1], lanes);
        scaled[t] += l.block ? whole * (INT8_LANES(scales + 16 * tile) * scale) : whole * scale;
        if (l.has_minima) lowered[t] += l.block ? INT8_LANES(minima + 16 * tile) * sum : (lanes)sum;
      }
    }
    lanes factor, least;
    half_lanes(chunk, &factor);
    if (l.has_minima) half_lanes(chunk + 32, &least);
    _Pragma("unroll") for (int t = 0; t < rows; t++) {
      sums[t] += factor * scaled[t];
      if (l.has_minima) sums[t] -= least * lowered[t];
    }
  }
}

TARGET INLINE void PATH(few_rows)(
    layout l, const ck_packed *w, long first, long n, const ck_int8_rows *x, const float *bias, float *y, long y_stride) {
  long k = w->columns;
  for (long o = 0; o < n; o += ROWS) {
    const uint8_t *chunk = w->bytes + (first + o) / ROWS * (k / l.super) * chunk_bytes(l);
    lanes plus = (lanes)0.0f;
    long some = smaller(ROWS, n - o);
    if (bias) memcpy(&plus, bias + o, (size_t)some * sizeof(float));
    for (long t = 0; t < x->rows; t += MOST_ROWS) {
      lanes sums[MOST_ROWS];
      int count = (int)smaller(MOST_ROWS, x->rows - t);
      switch (count) {
        case 1: PATH(sixteen_rows)(l, 1, k, chunk, x, t, sums); break;
        case 2: PATH(sixteen_rows)(l, 2, k, chunk, x, t, sums); break;
        case 3: PATH(sixteen_rows)(l, 3, k, chunk, x, t, sums); break;
        default: PATH(sixteen_rows)(l, MOST_ROWS, k, chunk, x, t, sums);
      }
      for (int row = 0; row < count; row++) {
        lanes result = sums[row] + plus;
        memcpy(y + (t + row) * y_stride + o, &result, (size_t)some * sizeof(float));
      }
    }
  }
}

#define CASE(FORMAT, LAYOUT) \
  case FORMAT: PATH(few_rows)(LAYOUT, w, first, n, x, bias, y, y_stride); break;

TARGET static void PATH(packed_few_rows)(
    const ck_packed *w, long first, long n, const ck_int8_rows *x, const float *bias, float *y, long y_stride) {
  switch (w->format) { EACH_FORMAT(CASE) }
}

#undef CASE
