#pragma once
// OpenBLAS behind one function of our own types, so that its header does not reach Swift. It uses the calling thread alone, as the program
// shares work out itself, and ends the program with a line on standard error where the library is missing.

/// c (m,n) ← alpha · op(a) (m,k) · op(b) (k,n) + beta · c, row-major, on the calling thread alone.
void cb_sgemm(
    int transpose_a, int transpose_b, long m, long n, long k, float alpha, const float *a, long lda, const float *b,
    long ldb, float beta, float *c, long ldc);
