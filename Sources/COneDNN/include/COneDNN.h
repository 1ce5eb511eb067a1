#pragma once
// oneDNN's matrix products behind two functions, for its versions 2 and 3.
#include <stdint.h>

/// c (m,n) ← alpha · op(a) (m,k) · op(b) (k,n) + beta · c, row-major, on the calling thread alone. 0, or oneDNN's status.
int onednn_sgemm(
    int transpose_a, int transpose_b, long m, long n, long k, float alpha, const float *a, long lda, const float *b,
    long ldb, float beta, float *c, long ldc);
/// Whether this CPU has vector instructions that oneDNN makes code for (AVX2 or more).
int onednn_is_fast_here(void);

/// y (m,n) ← x (m,k) · op(w) (k,n), plus y when `accumulate`: bfloat16 in, float32 sums and result, row-major, on the
/// calling thread alone. With `transpose_w`, w lies as (n,k). 0, or oneDNN's status.
///
/// The code oneDNN makes for a shape is kept for the next product of that shape.
int onednn_bf16_product(
    int transpose_w, long m, long n, long k, const uint16_t *x, long ldx, const uint16_t *w, long ldw, int accumulate,
    float *y, long ldy);
/// Whether this CPU multiplies bfloat16 itself (AVX512-BF16 or AMX-BF16).
int onednn_has_bf16_here(void);
