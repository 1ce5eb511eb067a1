#pragma once
// OpenBLAS behind one function of our own types, so that its header does not reach Swift.

/// c (m,n) ← alpha · op(a) (m,k) · op(b) (k,n) + beta · c, row-major, on the calling thread alone.
void cb_sgemm(
    int transpose_a, int transpose_b, long m, long n, long k, float alpha, const float *a, long lda, const float *b,
    long ldb, float beta, float *c, long ldc);
/// Tells OpenBLAS to use the calling thread alone: the program shares work out itself.
void cb_use_calling_thread(void);
/// OpenBLAS's own description of its build and of the CPU it took this one for.
const char *cb_description(void);
