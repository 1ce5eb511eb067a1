#include "vector.h"

KERNEL void ck_exp(long n, const float *x, float *y) {
  for (long i = 0; i < n; i++) y[i] = vector_exp(x[i]);
}
