#pragma once
// Vector kernels behind `CPUBackend`. Every function works on the rows it is given and on one thread; the caller shares
// rows out. Matrices are row-major float32; `*_stride` counts floats between the starts of two rows.
//
// Each kernel is compiled for AVX-512, AVX2 and plain x86-64 and picked when the program is loaded (`target_clones`);
// elsewhere it is compiled once. All sums run in an order that depends on the sizes alone.
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Threads (workers.c).

/// One part of a work.
typedef void ck_part(void *context, long part);
/// Calls `body` once for each of 0..<parts, on the calling thread and as many workers; returns when all are done. Work that is shared out
/// from within a part, or while another thread's goes on, is done by its caller alone.
void ck_share_out(long parts, ck_part *body, void *context);

// Steps over rows (elementwise.c).

/// y ← y + alpha · x, (rows, columns).
void ck_add(long rows, long columns, float alpha, const float *x, long x_stride, float *y, long y_stride);
/// x ← x · factor.
void ck_scale(long rows, long columns, float factor, float *x, long x_stride);
/// Writes `row` (columns) into every row of y.
void ck_fill_rows(long rows, long columns, const float *row, float *y, long y_stride);
/// out ← silu(gate) · up.
void ck_swiglu(
    long rows, long columns, const float *gate, long gate_stride, const float *up, long up_stride, float *out,
    long out_stride);
/// dgate, dup ← gradients of swiglu; dgate may be gate, dup may be up.
void ck_swiglu_backward(
    long rows, long columns, const float *dout, long dout_stride, const float *gate, long gate_stride, const float *up,
    long up_stride, float *dgate, long dgate_stride, float *dup, long dup_stride);
/// The same on bfloat16 numbers, worked out in float32; the backward overwrites gate and up with their gradients.
void ck_swiglu_bf16(
    long rows, long columns, const uint16_t *gate, long gate_stride, const uint16_t *up, long up_stride, uint16_t *out,
    long out_stride);
void ck_swiglu_backward_bf16(
    long rows, long columns, const float *dout, long dout_stride, uint16_t *gate, long gate_stride, uint16_t *up,
    long up_stride);
/// Rotates the pairs (i, i + head_size/2) of every head by the angles whose cosines and sines are given per row
/// (rows, head_size/2, contiguous); `sign` is 1, or -1 to turn back.
void ck_rope(
    long rows, long heads, long head_size, const float *cosines, const float *sines, float sign, float *x,
    long x_stride);
/// Inverted dropout of elements `first`, `first` + 1 … (row-major index): kept ones times `keep_scale`. An element is
/// dropped when the 24 high bits of its hash are below `threshold`. `key` is the hashed seed.
void ck_dropout(
    long rows, long columns, uint64_t key, uint64_t first, uint32_t threshold, float keep_scale, const float *x,
    long x_stride, float *out, long out_stride);
/// The numbers of one AdamW step; rest1 = 1 − beta1, rest2 = 1 − beta2, worked out in double.
typedef struct {
  float beta1, rest1, beta2, rest2, decay, rate, root, epsilon;
} ck_adamw_step;
/// One AdamW step on n elements: p ← p·decay − rate · m / (sqrt(v)·root + epsilon), after m and v took in g.
void ck_adamw(long n, const ck_adamw_step *step, const float *g, float *p, float *m, float *v);

// Steps that sum over a row (reductions.c).

/// y ← x · inverse_rms · gain; inverse_rms[row · inverse_stride] is written.
void ck_rms_norm(
    long rows, long columns, const float *x, long x_stride, const float *gain, float epsilon, float *y, long y_stride,
    float *inverse_rms, long inverse_stride);
/// dx ← (or += when `accumulate`) the gradient of rms_norm with respect to x.
void ck_rms_norm_backward(
    long rows, long columns, const float *dy, long dy_stride, const float *x, long x_stride, const float *gain,
    const float *inverse_rms, long inverse_stride, int accumulate, float *dx, long dx_stride);
/// loss[row] ← -log softmax(logits)[target]; with `write_gradient`, logits ← (softmax − onehot) · scale.
void ck_cross_entropy(
    long rows, long columns, float *logits, long stride, const int32_t *targets, int write_gradient, float scale,
    float *loss);
/// Some columns of each row's logits join its running maximum and its sum of e^(logit − maximum), which begin as -inf and 0. Unless NULL, `out`
/// gets these exponentials in bfloat16. Where the maximum grows, the row of `shrinking` (rows, width) shrinks as the sum does.
void ck_softmax_block(
    long rows, long columns, const float *logits, long stride, float *maximum, float *sum, uint16_t *out, long out_stride,
    float *shrinking, long shrinking_stride, long width);
/// The sum of squares of n elements.
double ck_sum_of_squares(long n, const float *x);
/// The index of the first largest of n elements; NaN never wins (0 if there is nothing else).
long ck_argmax(long n, const float *x);

// Products of few rows (few.c).

/// y (rows, n) ← x (rows, k) · w[0..<n]ᵀ + bias, for few rows of x: reads each weight once.
void ck_linear_few(
    long rows, long n, long k, const float *x, long x_stride, const float *w, long w_stride, const float *bias, float *y,
    long y_stride);
/// The same with weights in bfloat16; x, the sums and y are float32.
void ck_linear_few_bf16(
    long rows, long n, long k, const float *x, long x_stride, const uint16_t *w, long w_stride, const float *bias,
    float *y, long y_stride);

/// y ← x · codesᵀ with 8-bit codes (n, k) of row-wise quantised weights; ck_int8_finish makes y of it.
void ck_linear_few_int8(
    long rows, long n, long k, const float *x, long x_stride, const int8_t *codes, long stride, const float *bias,
    float *y, long y_stride);

// bfloat16 (bfloat16.c).

/// out ← x rounded to the nearest bfloat16, ties to even; NaN stays NaN.
void ck_to_bf16(long rows, long columns, const float *x, long x_stride, uint16_t *out, long out_stride);
/// out ← x, exactly.
void ck_from_bf16(long n, const uint16_t *x, float *out);

/// x ← x rounded to bfloat16, and out the same numbers as bfloat16.
void ck_round_to_bf16(long rows, long columns, float *x, long x_stride, uint16_t *out, long out_stride);
/// out (columns, rows) ← xᵀ.
void ck_transpose_bf16(long rows, long columns, const uint16_t *x, long x_stride, uint16_t *out, long out_stride);
/// y (rows, columns) ← y + xᵀ, x (columns, rows).
void ck_add_transposed(long rows, long columns, const float *x, long x_stride, float *y, long y_stride);

// Whether there is a NaN or an infinity (reductions.c).

/// The index of the first of n elements that is NaN or infinite; -1 if all are finite.
long ck_first_not_finite(long n, const float *x);

// NF4 weights (nf4.c). Blocks hold a power of two of numbers, 32 or more; two codes a byte, the first in the high nibble.

/// Which instructions the kernels of a weight use.
enum { CK_NF4_PORTABLE, CK_NF4_AVX2, CK_NF4_AVX512 };

/// An NF4 tensor, flattened. A block's absolute maximum is `absmax[block]`, or where that is null (double quantisation)
/// nested_code_book[nested_codes[block]] · nested_absmax[block >> nested_shift] + nested_offset.
typedef struct {
  const uint8_t *codes;
  /// Sixteen values, ascending.
  const float *code_book;
  /// A block holds 1 << block_shift numbers.
  long block_shift;
  const float *absmax;
  const uint8_t *nested_codes;
  /// 256 values, ascending.
  const float *nested_code_book;
  const float *nested_absmax;
  long nested_shift;
  float nested_offset;
  /// CK_NF4_…, at most ck_nf4_fastest_path().
  int path;
} ck_nf4;

/// The best path of this CPU.
int ck_nf4_fastest_path(void);
/// codes ((n+1)/2 bytes) and absmax (one a block) of n numbers, bit for bit as bitsandbytes 0.50 on the CPU: the nearest value of
/// the code book. n is a whole number of blocks, but at the end of the tensor.
void ck_nf4_quantise(long n, const float *x, long block_size, const float *code_book, uint8_t *codes, float *absmax);
/// codes (n) and absmax (one a block) of the n numbers x − offset in 8 bits: the nearest of the 256 values of the code book.
void ck_blockwise_quantise(
    long n, const float *x, float offset, long block_size, const float *code_book, uint8_t *codes, float *absmax);
/// out (rows, columns) ← the numbers from `first` on; the next row begins `stride` numbers later.
void ck_nf4_to_f32(const ck_nf4 *w, long first, long rows, long columns, long stride, float *out, long out_stride);
/// The same, each rounded to the nearest bfloat16.
void ck_nf4_to_bf16(
    const ck_nf4 *w, long first, long rows, long columns, long stride, uint16_t *out, long out_stride);
/// y (rows, n) ← x (rows, k) · wᵀ + bias, w the n rows of k numbers from `first` on, read as codes. k and `first` are whole
/// numbers of blocks.
void ck_linear_few_nf4(
    long rows, long n, long k, const float *x, long x_stride, const ck_nf4 *w, long first, const float *bias, float *y,
    long y_stride);

// Row-wise 8-bit weights (int8.c).

/// codes (rows, columns) and absmax (rows): round(x · 127 / absmax), ties to even; a row of zeros gives zeros.
void ck_int8_quantise(long rows, long columns, const float *x, long x_stride, int8_t *codes, float *absmax);
/// out (rows, columns) ← codes · absmax / 127.
void ck_int8_to_f32(
    long rows, long columns, const int8_t *codes, long stride, const float *absmax, float *out, long out_stride);
/// The same, each rounded to the nearest bfloat16.
void ck_int8_to_bf16(
    long rows, long columns, const int8_t *codes, long stride, const float *absmax, uint16_t *out, long out_stride);
/// y (rows, n) ← y · absmax / 127 of its column + bias (null if there is none).
void ck_int8_finish(long rows, long n, const float *absmax, const float *bias, float *y, long y_stride);

// Codes of 4 to 8 bits as GGUF's blocks hold them (packed.c): sixteen rows side by side, the last ones filled up.

/// GGUF's formats.
enum {
  CK_PACKED_Q4_0, CK_PACKED_Q4_1, CK_PACKED_Q5_0, CK_PACKED_Q5_1, CK_PACKED_Q8_0, CK_PACKED_Q4_K, CK_PACKED_Q5_K,
  CK_PACKED_Q6_K
};

/// Which instructions the product of few rows uses.
enum { CK_PACKED_PORTABLE, CK_PACKED_AVX2, CK_PACKED_VNNI };

/// A packed weight of rows of `columns` numbers, whole chunks.
typedef struct {
  const uint8_t *bytes;
  long columns;
  /// CK_PACKED_Q…
  int format;
  /// CK_PACKED_…, at most ck_packed_fastest_path().
  int path;
} ck_packed;

/// The best path of this CPU.
int ck_packed_fastest_path(void);
/// The bytes of sixteen rows' chunk, how many columns it has, and how many of them share a scale (0: there are no scales).
long ck_packed_chunk_bytes(int format);
long ck_packed_chunk_columns(int format);
long ck_packed_block_columns(int format);

/// Rows taken apart, each array row by row: a code a number, scales and minima a block, factors and least factors (binary16) a chunk.
/// A number is (factor · scale) · (code − zero) − least · minimum.
typedef struct {
  const uint8_t *codes, *scales, *minima;
  const uint16_t *factors, *least;
} ck_packed_parts;

/// Packs up to sixteen rows of `columns` numbers into their chunks.
void ck_packed_take(int format, const ck_packed_parts *from, long rows, long columns, uint8_t *to);
/// The first row with a factor that is NaN or infinite; -1 if all are finite.
long ck_packed_first_not_finite(const ck_packed *w, long rows);
/// out (rows, columns) ← the numbers of these rows and columns.
void ck_packed_to_f32(const ck_packed *w, long row, long rows, long column, long columns, float *out, long out_stride);
/// The same, each rounded to the nearest bfloat16.
void ck_packed_to_bf16(
    const ck_packed *w, long row, long rows, long column, long columns, uint16_t *out, long out_stride);

/// Rows of k numbers rounded to 8 bits in blocks of 32: codes (rows, k), scales and scale · sum of codes (rows, k/32), sums of sixteen codes
/// (rows, k/16).
typedef struct {
  long rows;
  const int8_t *codes;
  const float *scales, *sums;
  const int32_t *halves;
} ck_int8_rows;

/// Rounds x (rows, k): a block's absolute maximum becomes 127.
void ck_int8_round(
    long rows, long k, const float *x, long x_stride, int8_t *codes, float *scales, float *sums, int32_t *halves);
/// y (rows, n) ← x · w[first..<first + n]ᵀ + bias; first is a multiple of 16. Products of codes are exact, the rest is float32.
void ck_packed_few_rows(
    const ck_packed *w, long first, long n, const ck_int8_rows *x, const float *bias, float *y, long y_stride);

// Products of bfloat16 numbers with float32 sums (bfloat16_panels.c, bfloat16_few.c), only where ck_bf16_products_here().

/// Whether this CPU has AVX512-BF16 and nothing better.
int ck_bf16_products_here(void);
/// A right factor, or a part of one: (k, n) as it lies, or (n, k) where `transposed`, with so many numbers from one row to the next.
typedef struct {
  const uint16_t *numbers;
  long stride;
  int transposed;
} ck_bf16_right;
/// Memory that will be read soon: `rows` rows of `bytes`, the next one `stride` bytes on.
typedef struct {
  const void *base;
  long rows, bytes, stride;
} ck_next;
/// y (m, n) ← (or += when `accumulate`) x (m, k) · right, n at most 16 · vectors, `vectors` 1, 2 or 4. Where k is odd, each row of x has a zero
/// after it. `panel` is room for the packed factor, at a cache line: k rounded up to a multiple of 32, times 16 · vectors numbers. Meanwhile
/// `next` comes into the second cache, so that packing it won't wait for memory.
void ck_bf16_panel_product(
    long m, long n, long k, const uint16_t *x, long x_stride, const ck_bf16_right *right, int vectors, uint16_t *panel,
    const ck_next *next, int accumulate, float *y, long y_stride);
/// y (rows, n) ← x (rows, k) · w[0..<n]ᵀ + bias, for few rows of x: reads each weight once.
void ck_bf16_few_rows(
    long rows, long n, long k, const uint16_t *x, long x_stride, const uint16_t *w, long w_stride, const float *bias,
    float *y, long y_stride);
/// Whether ck_bf16_few_rows_nf4 takes rows of k numbers of this tensor.
int ck_bf16_few_nf4_takes(long k, const ck_nf4 *w);
/// out (rows, k) ← x with the 32 even numbers of each 64 before the odd ones: the order of NF4's codes.
void ck_bf16_even_odd(long rows, long k, const uint16_t *x, long x_stride, uint16_t *out);
/// ck_linear_few_nf4 with x (rows, k) made by ck_bf16_even_odd. The code book is rounded to bfloat16, block maxima and sums are float32.
void ck_bf16_few_rows_nf4(
    long rows, long n, long k, const uint16_t *x, const ck_nf4 *w, long first, const float *bias, float *y,
    long y_stride);

// Attention (attention.c, attention_bf16.c). One call is one kv head of one segment, `group` query heads at once.

/// How many query positions one call takes at most.
enum { CK_QUERY_BLOCK = 32 };

/// Pointers are to the first row of the whole matrix, at the column where this (kv) head starts; the `group` query heads
/// lie side by side. `key_rows` lists the rows of k and v, in order; query i of `queries` is row first_query + i and
/// sees the first `visible` + i keys.
typedef struct {
  long queries, first_query, visible, group, head_size;
  const int32_t *key_rows;
  const float *q, *k, *v;
  long q_stride, k_stride, v_stride;
} ck_attention_block;

/// The floats of scratch a call needs.
long ck_attention_scratch(long queries, long group, long head_size);
long ck_attention_backward_scratch(long queries, long group, long head_size);
/// out and log_sum_exp (null if not wanted) like q: first row of the matrix, at the group's first column.
void ck_attention(
    const ck_attention_block *block, float *scratch, float *out, long out_stride, float *log_sum_exp, long lse_stride);
/// Writes dq of the block's queries; adds to dk and dv.
void ck_attention_backward(
    const ck_attention_block *block, float *scratch, const float *dout, long dout_stride, const float *out,
    long out_stride, const float *log_sum_exp, long lse_stride, float *dq, long dq_stride, float *dk, long dk_stride,
    float *dv, long dv_stride);

/// The same with the factors of every product rounded to bfloat16, only where ck_bf16_products_here().
long ck_attention_bf16_scratch(long queries, long group, long head_size);
long ck_attention_bf16_backward_scratch(long queries, long group, long head_size);
void ck_attention_bf16(
    const ck_attention_block *block, float *scratch, float *out, long out_stride, float *log_sum_exp, long lse_stride);
void ck_attention_bf16_backward(
    const ck_attention_block *block, float *scratch, const float *dout, long dout_stride, const float *out,
    long out_stride, const float *log_sum_exp, long lse_stride, float *dq, long dq_stride, float *dk, long dk_stride,
    float *dv, long dv_stride);

/// The vector exponential the kernels use, for its test: y[i] ← e^x[i].
void ck_exp(long n, const float *x, float *y);

#ifdef __cplusplus
}
#endif
