// Causal attention of one kv head in float32.
#include "attention_parts.h"

enum { TILE = 8, POSITIONS = 8 };

// Rows [0, rows) of c (rows, 16) ← or += a (rows, k) · b (k, 16). Element (i, p) of a lies at a[i·a_row + p·a_step].
#define TILE_PRODUCT(ROWS)                                                                   \
  case ROWS: {                                                                               \
    lanes sum[ROWS];                                                                         \
    for (int i = 0; i < ROWS; i++) sum[i] = accumulate ? LOAD(c + i * c_row) : (lanes)0.0f;  \
    for (long p = 0; p < k; p++) {                                                           \
      lanes line = LOAD(b + p * b_row);                                                      \
      const float *column = a + p * a_step;                                                  \
      _Pragma("unroll") for (int i = 0; i < ROWS; i++) sum[i] += line * column[i * a_row];   \
    }                                                                                        \
    for (int i = 0; i < ROWS; i++) STORE(c + i * c_row, sum[i]);                             \
    break;                                                                                   \
  }

INLINE void tile_product(
    long rows, long k, const float *a, long a_row, long a_step, const float *b, long b_row, float *c, long c_row,
    int accumulate) {
  FUSED
  switch (rows) {
    TILE_PRODUCT(1)
    TILE_PRODUCT(2)
    TILE_PRODUCT(3)
    TILE_PRODUCT(4)
    TILE_PRODUCT(5)
    TILE_PRODUCT(6)
    TILE_PRODUCT(7)
    TILE_PRODUCT(8)
  }
}

// c (rows, n) ← or += a (rows, k) · b (k, n); n a multiple of 16. Every element sums over k in order, whatever its tile.
KERNEL static void product(
    long rows, long n, long k, const float *a, long a_row, long a_step, const float *b, long b_row, float *c, long c_row,
    int accumulate) {
  for (long j = 0; j < n; j += 16) {
    for (long i = 0; i < rows; i += TILE) {
      tile_product(
          smaller(TILE, rows - i), k, a + i * a_row, a_row, a_step, b + j, b_row, c + i * c_row + j, c_row, accumulate);
    }
  }
}

// to (rows, width) ← the group's head vectors of each query, times factor; columns from head_size on are zero.
static void pack_queries(
    const ck_attention_block *x, const float *from, long stride, float factor, float *to, long width) {
  for (long i = 0; i < x->queries; i++) {
    for (long g = 0; g < x->group; g++) {
      const float *source = from + (x->first_query + i) * stride + g * x->head_size;
      float *target = to + (i * x->group + g) * width;
      for (long c = 0; c < x->head_size; c++) target[c] = source[c] * factor;
      for (long c = x->head_size; c < width; c++) target[c] = 0;
    }
  }
}

// to (head_size, KEYS) ← n key vectors as columns, zeros after them.
KERNEL static void pack_transposed(
    const ck_attention_block *x, const float *from, long stride, long first, long n, float *to) {
  const int32_t *rows = x->key_rows + first;
  long whole = x->head_size / 16 * 16;
  for (long j = 0; j < KEYS; j += 16) {
    for (long c = 0; c < whole; c += 16) {
      lanes a[16], b[16];
      for (long l = 0; l < 16; l++) a[l] = j + l < n ? LOAD(from + rows[j + l] * stride + c) : (lanes)0.0f;
      TURN(a, b)
      for (long l = 0; l < 16; l++) STORE(to + (c + l) * KEYS + j, a[l]);
    }
    for (long c = whole; c < x->head_size; c++) {
      for (long l = j; l < j + 16; l++) to[c * KEYS + l] = l < n ? from[rows[l] * stride + c] : 0;
    }
  }
}

// to (n, width) ← n key vectors as rows, padded with zeros.
static void pack_rows(
    const ck_attention_block *x, const float *from, long stride, long first, long n, float *to, long width) {
  memset(to, 0, (size_t)(n * width) * sizeof(float));
  for (long j = 0; j < n; j++) {
    memcpy(to + j * width, from + x->key_rows[first + j] * stride, (size_t)x->head_size * sizeof(float));
  }
}

long ck_attention_scratch(long queries, long group, long head_size) {
  long rows = queries * group, width = padded(head_size);
  return rows * (width * 2 + KEYS) + 2 * padded(rows) + 2 * KEYS * width;
}

void ck_attention(
    const ck_attention_block *x, float *scratch, float *out, long out_stride, float *log_sum_exp, long lse_stride) {
  long group = x->group, d = x->head_size, width = padded(d), rows = x->queries * group;
  float *q = take(&scratch, rows * width), *output = take(&scratch, rows * width);
  float *scores = take(&scratch, rows * KEYS), *maximum = take(&scratch, rows), *sum = take(&scratch, rows);
  float *keys = take(&scratch, KEYS * width), *values = take(&scratch, KEYS * width);
  pack_queries(x, x->q, x->q_stride, 1.0f / sqrtf((float)d), q, width);
  begin(rows, maximum, sum, output, width);
  long total = x->visible + x->queries - 1;
  for (long first = 0; first < total; first += KEYS) {
    long n = smaller(KEYS, total - first);
    pack_transposed(x, x->k, x->k_stride, first, n, keys);
    pack_rows(x, x->v, x->v_stride, first, n, values, width);
    for (long i = 0; i < x->queries; i += POSITIONS) {
      long last = smaller(i + POSITIONS, x->queries), end = keys_seen(x, last - 1, first, n);
      if (end == 0) continue;
      long start = i * group, count = (last - i) * group;
      float *s = scores + start * KEYS;
      product(count, padded(end), d, q + start * width, width, 1, keys, KEYS, s, KEYS, 0);
      for (long r = start; r < start + count; r++) {
        long seen = keys_seen(x, r / group, first, n);
        if (seen > 0) {
          online_softmax(seen, end, scores + r * KEYS, 1, maximum + r, sum + r, output + r * width, width);
        } else {
          memset(scores + r * KEYS, 0, (size_t)end * sizeof(float));
        }
      }
      product(count, width, end, s, KEYS, 1, values, width, output + start * width, width, 1);
    }
  }
  finish(x, output, width, maximum, sum, out, out_stride, log_sum_exp, lse_stride);
}

long ck_attention_backward_scratch(long queries, long group, long head_size) {
  long rows = queries * group, width = padded(head_size);
  return rows * (width * 3 + KEYS * 2) + 2 * padded(rows) + 5 * KEYS * width;
}

// With P the probabilities, dP = dO·Vᵀ and D = rowsum(dO·O): dS = P·(dP − D), dQ = dS·K/√d, dK = dSᵀ·Q/√d, dV = Pᵀ·dO.
void ck_attention_backward(
    const ck_attention_block *x, float *scratch, const float *dout, long dout_stride, const float *out, long out_stride,
    const float *log_sum_exp, long lse_stride, float *dq, long dq_stride, float *dk, long dk_stride, float *dv,
    long dv_stride) {
  long group = x->group, d = x->head_size, width = padded(d), rows = x->queries * group;
  float factor = 1.0f / sqrtf((float)d);
  float *q = take(&scratch, rows * width), *d_out = take(&scratch, rows * width), *d_q = take(&scratch, rows * width);
  float *p = take(&scratch, rows * KEYS), *ds = take(&scratch, rows * KEYS);
  float *mean = take(&scratch, rows), *lse = take(&scratch, rows);
  float *keys_t = take(&scratch, KEYS * width), *values_t = take(&scratch, KEYS * width);
  float *keys = take(&scratch, KEYS * width), *d_k = take(&scratch, KEYS * width), *d_v = take(&scratch, KEYS * width);
  pack_queries(x, x->q, x->q_stride, factor, q, width);
  pack_queries(x, dout, dout_stride, 1.0f, d_out, width);
  memset(d_q, 0, (size_t)(rows * width) * sizeof(float));
  begin_backward(x, dout, dout_stride, out, out_stride, log_sum_exp, lse_stride, mean, lse);
  long total = x->visible + x->queries - 1;
  for (long first = 0; first < total; first += KEYS) {
    long n = smaller(KEYS, total - first);
    pack_transposed(x, x->k, x->k_stride, first, n, keys_t);
    pack_transposed(x, x->v, x->v_stride, first, n, values_t);
    pack_rows(x, x->k, x->k_stride, first, n, keys, width);
    memset(d_k, 0, (size_t)(n * width) * sizeof(float));
    memset(d_v, 0, (size_t)(n * width) * sizeof(float));
    for (long i = 0; i < x->queries; i += POSITIONS) {
      long last = smaller(i + POSITIONS, x->queries), end = keys_seen(x, last - 1, first, n);
      if (end == 0) continue;
      long start = i * group, count = (last - i) * group;
      float *some_p = p + start * KEYS, *some_ds = ds + start * KEYS;
      float *some_q = q + start * width, *some_d_out = d_out + start * width;
      product(count, padded(end), d, some_q, width, 1, keys_t, KEYS, some_p, KEYS, 0);
      product(count, padded(end), d, some_d_out, width, 1, values_t, KEYS, some_ds, KEYS, 0);
      for (long r = start; r < start + count; r++) {
        softmax_backward(keys_seen(x, r / group, first, n), end, 1, lse[r], mean[r], p + r * KEYS, ds + r * KEYS);
      }
      product(count, width, end, some_ds, KEYS, 1, keys, width, d_q + start * width, width, 1);
      product(end, width, count, some_p, 1, KEYS, some_d_out, width, d_v, width, 1);
      product(end, width, count, some_ds, 1, KEYS, some_q, width, d_k, width, 1);
    }
    scatter_add(x, first, n, d_k, width, 1, dk, dk_stride);
    scatter_add(x, first, n, d_v, width, 1, dv, dv_stride);
  }
  finish_backward(x, d_q, width, factor, dq, dq_stride);
}
