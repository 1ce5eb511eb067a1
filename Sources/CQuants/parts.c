// GGUF's blocks taken apart, for weights that stay in them. The layouts are described in CQuants.c.
#include <string.h>

#include "CQuants.h"

static inline uint16_t load16(const uint8_t *at) {
  uint16_t value;
  memcpy(&value, at, sizeof value);
  return value;
}

/// Of a block of 32 with 16 bytes of nibbles: elements 0-15 are the low ones. `high` holds a fifth bit for each element.
static inline void codes_of_32(const uint8_t *nibbles, uint32_t high, uint8_t *codes) {
  for (int i = 0; i < 16; i++) {
    codes[i] = (uint8_t)((nibbles[i] & 15) | ((high >> i) & 1) << 4);
    codes[i + 16] = (uint8_t)((nibbles[i] >> 4) | ((high >> (i + 16)) & 1) << 4);
  }
}

static inline uint32_t fifth_bits(const uint8_t *at) {
  uint32_t bits;
  memcpy(&bits, at, sizeof bits);
  return bits;
}

/// x = d · q + m is x = d · q − (−m).
static inline uint16_t negated(uint16_t half) { return half ^ 0x8000; }

void cq_q4_0_parts(const uint8_t *in, cq_parts out, size_t blocks) {
  for (size_t b = 0; b < blocks; b++, in += 18) {
    out.factors[b] = load16(in);
    codes_of_32(in + 2, 0, out.codes + 32 * b);
  }
}

void cq_q4_1_parts(const uint8_t *in, cq_parts out, size_t blocks) {
  for (size_t b = 0; b < blocks; b++, in += 20) {
    out.factors[b] = load16(in);
    out.least[b] = negated(load16(in + 2));
    codes_of_32(in + 4, 0, out.codes + 32 * b);
  }
}

void cq_q5_0_parts(const uint8_t *in, cq_parts out, size_t blocks) {
  for (size_t b = 0; b < blocks; b++, in += 22) {
    out.factors[b] = load16(in);
    codes_of_32(in + 6, fifth_bits(in + 2), out.codes + 32 * b);
  }
}

void cq_q5_1_parts(const uint8_t *in, cq_parts out, size_t blocks) {
  for (size_t b = 0; b < blocks; b++, in += 24) {
    out.factors[b] = load16(in);
    out.least[b] = negated(load16(in + 2));
    codes_of_32(in + 8, fifth_bits(in + 4), out.codes + 32 * b);
  }
}

void cq_q8_0_parts(const uint8_t *in, cq_parts out, size_t blocks) {
  for (size_t b = 0; b < blocks; b++, in += 34) {
    out.factors[b] = load16(in);
    for (int i = 0; i < 32; i++) out.codes[32 * b + i] = in[2 + i] ^ 0x80;
  }
}

/// The factors, scales and minima of a Q4_K or Q5_K block.
static inline void heads_of_256(const uint8_t *in, size_t b, cq_parts out) {
  out.factors[b] = load16(in);
  out.least[b] = load16(in + 2);
  const uint8_t *packed = in + 4;
  uint8_t *scales = out.scales + 8 * b, *minima = out.minima + 8 * b;
  for (int j = 0; j < 4; j++) {
    scales[j] = packed[j] & 63;
    minima[j] = packed[j + 4] & 63;
    scales[j + 4] = (uint8_t)((packed[j + 8] & 15) | (packed[j] >> 6) << 4);
    minima[j + 4] = (uint8_t)((packed[j + 8] >> 4) | (packed[j + 4] >> 6) << 4);
  }
}

void cq_q4_k_parts(const uint8_t *in, cq_parts out, size_t blocks) {
  for (size_t b = 0; b < blocks; b++, in += 144) {
    heads_of_256(in, b, out);
    for (int pair = 0; pair < 4; pair++) {
      const uint8_t *q = in + 16 + 32 * pair;
      uint8_t *codes = out.codes + 256 * b + 64 * pair;
      for (int i = 0; i < 32; i++) {
        codes[i] = q[i] & 15;
        codes[i + 32] = q[i] >> 4;
      }
    }
  }
}

void cq_q5_k_parts(const uint8_t *in, cq_parts out, size_t blocks) {
  for (size_t b = 0; b < blocks; b++, in += 176) {
    heads_of_256(in, b, out);
    const uint8_t *fifth = in + 16;
    for (int pair = 0; pair < 4; pair++) {
      const uint8_t *q = in + 48 + 32 * pair;
      uint8_t *codes = out.codes + 256 * b + 64 * pair;
      for (int i = 0; i < 32; i++) {
        codes[i] = (uint8_t)((q[i] & 15) | ((fifth[i] >> (2 * pair)) & 1) << 4);
        codes[i + 32] = (uint8_t)((q[i] >> 4) | ((fifth[i] >> (2 * pair + 1)) & 1) << 4);
      }
    }
  }
}

void cq_q6_k_parts(const uint8_t *in, cq_parts out, size_t blocks) {
  for (size_t b = 0; b < blocks; b++, in += 210) {
    out.factors[b] = load16(in + 208);
    memcpy(out.scales + 16 * b, in + 192, 16);
    for (int part = 0; part < 8; part++) {
      int half = part / 4, quarter = part % 4;
      const uint8_t *q = in + 64 * half + 32 * (quarter & 1), *pairs = in + 128 + 32 * half;
      int shift = quarter < 2 ? 0 : 4;
      uint8_t *codes = out.codes + 256 * b + 32 * part;
      for (int i = 0; i < 32; i++) {
        codes[i] = (uint8_t)(((q[i] >> shift) & 15) | ((pairs[i] >> (2 * quarter)) & 3) << 4);
      }
    }
  }
}
