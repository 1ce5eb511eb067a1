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

// The scales of formats whose numbers are a whole number times a scale: one for 32 numbers (Q8_0, Q5_0) or 16 (Q6_K).

void cq_q8_0_scales(const uint8_t *in, float *scales, size_t blocks);
void cq_q5_0_scales(const uint8_t *in, float *scales, size_t blocks);
void cq_q6_k_scales(const uint8_t *in, float *scales, size_t blocks);
