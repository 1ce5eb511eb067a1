#pragma once
// oneDNN's f32 matrix product behind one function; `dnnl_sgemm` has the same form in versions 2 and 3.

/// c (m,n) ← alpha · op(a) (m,k) · op(b) (k,n) + beta · c, row-major, on the calling thread alone. 0, or oneDNN's status.
int onednn_sgemm(
    int transpose_a, int transpose_b, long m, long n, long k, float alpha, const float *a, long lda, const float *b,
    long ldb, float beta, float *c, long ldc);
/// Whether this CPU has vector instructions that oneDNN makes code for (AVX2 or more).
int onednn_is_fast_here(void);
