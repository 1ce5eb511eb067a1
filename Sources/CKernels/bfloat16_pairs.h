#pragma once
// What the products of bfloat16 numbers share: the instructions of AVX512-BF16, where vdpbf16ps adds the products of sixteen pairs to sixteen
// floats.
#include "vector.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define PAIRS __attribute__((target("arch=x86-64-v4,avx512bf16")))
#define PAIRS_INLINE PAIRS INLINE

PAIRS_INLINE __mmask32 first_halves(long count) { return count >= 32 ? 0xFFFFFFFFu : count <= 0 ? 0 : (1u << count) - 1; }
PAIRS_INLINE __mmask16 first_words(long count) { return count >= 16 ? 0xFFFF : count <= 0 ? 0 : (__mmask16)((1u << count) - 1); }

#endif
