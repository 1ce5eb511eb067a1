#pragma once
#include <stddef.h>
#include <stdint.h>

// Block formats of GGUF, each block to float32. `in` holds `blocks` blocks without padding and needs no alignment;
// `out` takes blocks · (32 or 256) floats. The order of the float32 operations is that of the gguf Python package,
// so the bits are the same; hence no contraction to fused multiply-add in this target.

void cq_f16_to_f32(const uint8_t *in, float *out, size_t count);
void cq_bf16_to_f32(const uint8_t *in, float *out, size_t count);
void cq_f32_to_f16(const float *in, uint8_t *out, size_t count);
void cq_f32_to_bf16(const float *in, uint8_t *out, size_t count);

void cq_q4_0(const uint8_t *in, float *out, size_t blocks);
void cq_q4_1(const uint8_t *in, float *out, size_t blocks);
void cq_q5_0(const uint8_t *in, float *out, size_t blocks);
void cq_q5_1(const uint8_t *in, float *out, size_t blocks);
void cq_q8_0(const uint8_t *in, float *out, size_t blocks);
void cq_q4_k(const uint8_t *in, float *out, size_t blocks);
void cq_q5_k(const uint8_t *in, float *out, size_t blocks);
void cq_q6_k(const uint8_t *in, float *out, size_t blocks);

// The way back: `in` holds blocks · 32 floats. Bit for bit as the gguf Python package.

void cq_to_q4_0(const float *in, uint8_t *out, size_t blocks);
void cq_to_q8_0(const float *in, uint8_t *out, size_t blocks);

// Blocks taken apart: a number is (factor · scale) · (code − zero) − least · minimum, with the zero of the format (8 of Q4_0, 16 of Q5_0,
// 128 of Q8_0, 32 of Q6_K, else none).

/// Room for what the blocks hold, in their order: 32 or 256 codes a block, its scales and minima (8, or 16 scales of Q6_K; blocks of 32 have
/// none), its factor and least factor (binary16). What a format doesn't have may be null.
typedef struct {
  uint8_t *codes, *scales, *minima;
  uint16_t *factors, *least;
} cq_parts;

void cq_q4_0_parts(const uint8_t *in, cq_parts out, size_t blocks);
void cq_q4_1_parts(const uint8_t *in, cq_parts out, size_t blocks);
void cq_q5_0_parts(const uint8_t *in, cq_parts out, size_t blocks);
void cq_q5_1_parts(const uint8_t *in, cq_parts out, size_t blocks);
void cq_q8_0_parts(const uint8_t *in, cq_parts out, size_t blocks);
void cq_q4_k_parts(const uint8_t *in, cq_parts out, size_t blocks);
void cq_q5_k_parts(const uint8_t *in, cq_parts out, size_t blocks);
void cq_q6_k_parts(const uint8_t *in, cq_parts out, size_t blocks);
