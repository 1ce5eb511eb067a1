#include "CBlas.h"

#include <cblas.h>

void cb_sgemm(
    int transpose_a, int transpose_b, long m, long n, long k, float alpha, const float *a, long lda, const float *b,
    long ldb, float beta, float *c, long ldc) {
  cblas_sgemm(
      CblasRowMajor, transpose_a ? CblasTrans : CblasNoTrans, transpose_b ? CblasTrans : CblasNoTrans, (int)m, (int)n,
      (int)k, alpha, a, (int)lda, b, (int)ldb, beta, c, (int)ldc);
}

void cb_use_calling_thread(void) { openblas_set_num_threads(1); }

const char *cb_description(void) { return openblas_get_config(); }
