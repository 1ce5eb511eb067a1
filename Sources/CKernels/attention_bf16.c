// Causal attention of one kv head with products of bfloat16 numbers (bfloat16_panels.c). Scores, probabilities and their gradients are
// worked out in float32 and rounded for the product they go into. Widths and depths are padded with zeros to multiples of 16.
#include "attention_parts.h"

enum { PANEL_COLUMNS = 64, PANEL_LINE = 32 };

static uint16_t *take_halves(float **scratch, long numbers) { return (uint16_t *)take(scratch, (numbers + 1) / 2); }

static long larger(long a, long b) { return a > b ? a : b; }

// The numbers of a panel for products of up to `depth`.
static long panel_numbers(long depth) { return (depth + PANEL_LINE - 1) / PANEL_LINE * PANEL_LINE * PANEL_COLUMNS; }

// c (m, n) ← or += a (m, k) · b (k, n), or · bᵀ with b (n, k) where `transposed`.
static void multiply(
    long m, long n, long k, const uint16_t *a, long a_stride, const uint16_t *b, long b_stride, int transposed,
    uint16_t *panel, int accumulate, float *c, long c_stride) {
  const ck_next nothing = {0};
  for (long j = 0; j < n; j += PANEL_COLUMNS) {
    long columns = smaller(PANEL_COLUMNS, n - j);
    ck_bf16_right right = {b + j * (transposed ? b_stride : 1), b_stride, transposed};
    ck_bf16_panel_product(
        m, columns, k, a, a_stride, &right, columns <= 16 ? 1 : columns <= 32 ? 2 : 4, panel, &nothing, accumulate, c + j,
        c_stride);
  }
}

// to (rows padded, width) ← the group's head vectors of each query.
static void gather_queries(const ck_attention_block *x, const float *from, long stride, uint16_t *to, long width) {
  long rows = x->queries * x->group;
  if (width > x->head_size) memset(to, 0, (size_t)(rows * width) * sizeof(uint16_t));
  for (long i = 0; i < x->queries; i++) {
    ck_to_bf16(
        x->group, x->head_size, from + (x->first_query + i) * stride, x->head_size, to + i * x->group * width, width);
  }
  memset(to + rows * width, 0, (size_t)((padded(rows) - rows) * width) * sizeof(uint16_t));
}

// to (n padded, width) ← n key vectors.
static void gather_keys(
    const ck_attention_block *x, const float *from, long stride, long first, long n, uint16_t *to, long width) {
  if (width > x->head_size || n % 16 > 0) memset(to, 0, (size_t)(padded(n) * width) * sizeof(uint16_t));
  for (long j = 0; j < n; j++) {
    ck_to_bf16(1, x->head_size, from + x->key_rows[first + j] * stride, 0, to + j * width, 0);
  }
}

// Adds the n columns of `from` (head_size padded, KEYS), times factor, to the rows of `to` that the keys came from.
KERNEL static void scatter_add_turned(
    const ck_attention_block *x, long first, long n, const float *from, float factor, float *to, long stride) {
  for (long j = 0; j < n; j += 16) {
    for (long c = 0; c < x->head_size; c += 16) {
      lanes lines[16], other[16];
      for (long l = 0; l < 16; l++) lines[l] = LOAD(from + (c + l) * KEYS + j) * factor;
      TURN(lines, other)
      for (long l = 0; l < 16 && j + l < n; l++) {
        float *target = to + x->key_rows[first + j + l] * stride + c;
        if (c + 16 <= x->head_size) {
          STORE(target, LOAD(target) + lines[l]);
        } else {
          for (long i = 0; c + i < x->head_size; i++) target[i] += lines[l][i];
        }
      }
    }
  }
}

// The first row that sees the key `first`.
static long first_row_seeing(const ck_attention_block *x, long first) {
  return larger(0, first - x->visible + 1) * x->group;
}

long ck_attention_bf16_scratch(long queries, long group, long head_size) {
  long rows = padded(queries * group), width = padded(head_size);
  return rows * (width * 3 + KEYS * 3) / 2 + 2 * rows + KEYS * width + panel_numbers(larger(width, KEYS)) / 2;
}

void ck_attention_bf16(
    const ck_attention_block *x, float *scratch, float *out, long out_stride, float *log_sum_exp, long lse_stride) {
  long group = x->group, width = padded(x->head_size), rows = x->queries * group, whole = padded(rows);
  float factor = 1.0f / sqrtf((float)x->head_size);
  uint16_t *q = take_halves(&scratch, whole * width), *p = take_halves(&scratch, whole * KEYS);
  float *output = take(&scratch, whole * width), *scores = take(&scratch, whole * KEYS);
  float *maximum = take(&scratch, rows), *sum = take(&scratch, rows);
  uint16_t *keys = take_halves(&scratch, KEYS * width), *values = take_halves(&scratch, KEYS * width);
  uint16_t *panel = take_halves(&scratch, panel_numbers(larger(width, KEYS)));
  gather_queries(x, x->q, x->q_stride, q, width);
  begin(rows, maximum, sum, output, width);
  long total = x->visible + x->queries - 1;
  for (long first = 0; first < total; first += KEYS) {
    long n = smaller(KEYS, total - first), end = padded(n), start = first_row_seeing(x, first), count = rows - start;
    gather_keys(x, x->k, x->k_stride, first, n, keys, width);
    gather_keys(x, x->v, x->v_stride, first, n, values, width);
    multiply(count, end, width, q + start * width, width, keys, width, 1, panel, 0, scores + start * KEYS, KEYS);
    for (long r = start; r < rows; r++) {
      online_softmax(
          keys_seen(x, r / group, first, n), end, scores + r * KEYS, factor, maximum + r, sum + r, output + r * width,
          width);
    }
    ck_to_bf16(count, end, scores + start * KEYS, KEYS, p + start * KEYS, KEYS);
    multiply(count, width, end, p + start * KEYS, KEYS, values, width, 0, panel, 1, output + start * width, width);
  }
  finish(x, output, width, maximum, sum, out, out_stride, log_sum_exp, lse_stride);
}

long ck_attention_bf16_backward_scratch(long queries, long group, long head_size) {
  long rows = padded(queries * group), width = padded(head_size);
  return rows * (width * 3 + KEYS * 3) + 2 * rows + 3 * KEYS * width + panel_numbers(larger(rows, larger(width, KEYS))) / 2;
}

// The formulas are those of ck_attention_backward.
void ck_attention_bf16_backward(
    const ck_attention_block *x, float *scratch, const float *dout, long dout_stride, const float *out, long out_stride,
    const float *log_sum_exp, long lse_stride, float *dq, long dq_stride, float *dk, long dk_stride, float *dv,
    long dv_stride) {
  long group = x->group, d = x->head_size, width = padded(d), rows = x->queries * group, whole = padded(rows);
  float factor = 1.0f / sqrtf((float)d);
  uint16_t *q = take_halves(&scratch, whole * width), *d_out = take_halves(&scratch, whole * width);
  uint16_t *p = take_halves(&scratch, whole * KEYS), *ds = take_halves(&scratch, whole * KEYS);
  uint16_t *q_turned = take_halves(&scratch, whole * width), *d_out_turned = take_halves(&scratch, whole * width);
  float *d_q = take(&scratch, whole * width);
  float *wide_p = take(&scratch, whole * KEYS), *wide_ds = take(&scratch, whole * KEYS);
  float *mean = take(&scratch, rows), *lse = take(&scratch, rows);
  uint16_t *keys = take_halves(&scratch, KEYS * width), *values = take_halves(&scratch, KEYS * width);
  float *d_k = take(&scratch, KEYS * width), *d_v = take(&scratch, KEYS * width);
  uint16_t *panel = take_halves(&scratch, panel_numbers(larger(whole, larger(width, KEYS))));
  gather_queries(x, x->q, x->q_stride, q, width);
  gather_queries(x, dout, dout_stride, d_out, width);
  ck_transpose_bf16(whole, width, q, width, q_turned, whole);
  ck_transpose_bf16(whole, width, d_out, width, d_out_turned, whole);
  memset(d_q, 0, (size_t)(rows * width) * sizeof(float));
  // Rows that don't see a key block, and those beyond the last, are zero.
  memset(p, 0, (size_t)(whole * KEYS) * sizeof(uint16_t));
  memset(ds, 0, (size_t)(whole * KEYS) * sizeof(uint16_t));
  begin_backward(x, dout, dout_stride, out, out_stride, log_sum_exp, lse_stride, mean, lse);
  long total = x->visible + x->queries - 1;
  for (long first = 0; first < total; first += KEYS) {
    long n = smaller(KEYS, total - first), end = padded(n), start = first_row_seeing(x, first), count = rows - start;
    gather_keys(x, x->k, x->k_stride, first, n, keys, width);
    gather_keys(x, x->v, x->v_stride, first, n, values, width);
    multiply(count, end, width, q + start * width, width, keys, width, 1, panel, 0, wide_p + start * KEYS, KEYS);
    multiply(count, end, width, d_out + start * width, width, values, width, 1, panel, 0, wide_ds + start * KEYS, KEYS);
    for (long r = start; r < rows; r++) {
      softmax_backward(
          keys_seen(x, r / group, first, n), end, factor, lse[r], mean[r], wide_p + r * KEYS, wide_ds + r * KEYS);
    }
    // Later key blocks are seen by fewer rows: the others' numbers of the block before would still be there.
    memset(p, 0, (size_t)(start * KEYS) * sizeof(uint16_t));
    memset(ds, 0, (size_t)(start * KEYS) * sizeof(uint16_t));
    ck_to_bf16(count, end, wide_p + start * KEYS, KEYS, p + start * KEYS, KEYS);
    ck_to_bf16(count, end, wide_ds + start * KEYS, KEYS, ds + start * KEYS, KEYS);
    multiply(count, width, end, ds + start * KEYS, KEYS, keys, width, 0, panel, 1, d_q + start * width, width);
    // As dVᵀ = dOᵀ·P and dKᵀ = Qᵀ·dS: what is turned is the same for all key blocks.
    multiply(width, end, whole, d_out_turned, whole, p, KEYS, 0, panel, 0, d_v, KEYS);
    multiply(width, end, whole, q_turned, whole, ds, KEYS, 0, panel, 0, d_k, KEYS);
    scatter_add_turned(x, first, n, d_v, 1, dv, dv_stride);
    scatter_add_turned(x, first, n, d_k, factor, dk, dk_stride);
  }
  finish_backward(x, d_q, width, factor, dq, dq_stride);
}
