#include "COneDNN.h"

#include <oneapi/dnnl/dnnl.h>

// libgomp's, declared here because omp.h belongs to another compiler. Its setting is per thread.
extern void omp_set_num_threads(int count);

int onednn_sgemm(
    int transpose_a, int transpose_b, long m, long n, long k, float alpha, const float *a, long lda, const float *b,
    long ldb, float beta, float *c, long ldc) {
  static _Thread_local int ready = 0;
  if (!ready) {
    omp_set_num_threads(1);
    ready = 1;
  }
  return (int)dnnl_sgemm(
      transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

int onednn_is_fast_here(void) {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
  return 0;
#endif
}
