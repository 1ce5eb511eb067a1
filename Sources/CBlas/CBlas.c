#define _POSIX_C_SOURCE 200809L

#include "CBlas.h"

#include <cblas.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

// OpenBLAS is loaded with the first product and not with the program: when it is loaded it starts a thread a core, which spins for a while
// and takes the cores from commands that multiply nothing. The variable keeps it from that; it is set before main(), while there is one thread.

__attribute__((constructor)) static void without_threads(void) { setenv("OPENBLAS_NUM_THREADS", "1", 1); }

static __typeof__(&cblas_sgemm) sgemm;

static void load(void) {
  void *library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
  if (library) sgemm = (__typeof__(sgemm))dlsym(library, "cblas_sgemm");
  if (sgemm) return;
  fprintf(stderr, "lorapress: OpenBLAS can't be loaded (%s); install the package libopenblas0\n", dlerror());
  exit(1);
}

void cb_sgemm(
    int transpose_a, int transpose_b, long m, long n, long k, float alpha, const float *a, long lda, const float *b,
    long ldb, float beta, float *c, long ldc) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, load);
  sgemm(
      CblasRowMajor, transpose_a ? CblasTrans : CblasNoTrans, transpose_b ? CblasTrans : CblasNoTrans, (int)m, (int)n,
      (int)k, alpha, a, (int)lda, b, (int)ldb, beta, c, (int)ldc);
}
