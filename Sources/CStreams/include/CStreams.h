#pragma once
// Byte streams turned into others piece by piece: gzip by zlib, zstd by libzstd, CP949 to UTF-8 by iconv. Their headers stay in the .c file.

#include <stddef.h>
#include <stdint.h>

typedef struct cstreams_decoder cstreams_decoder;

enum {
  CSTREAMS_OK = 0,
  /// The input is not what it should be.
  CSTREAMS_BAD_INPUT = -1,
  CSTREAMS_NO_MEMORY = -2,
};

/// NULL where there is no memory, or for CP949 where the system's iconv does not know it.
cstreams_decoder *cstreams_gzip(void);
cstreams_decoder *cstreams_zstd(void);
cstreams_decoder *cstreams_cp949(void);
void cstreams_free(cstreams_decoder *decoder);

/// Turns up to `length` bytes at `in` into up to `capacity` bytes at `out`, and tells how many of each it took. It may take less than all
/// input: where `out` is full, or where the input ends within a character. Members that follow each other are one stream.
int cstreams_decode(cstreams_decoder *decoder, const uint8_t *in, size_t length, size_t *used, uint8_t *out,
                    size_t capacity, size_t *made);

/// Whether the input so far is whole: a stream was begun and ended, or none was begun.
int cstreams_is_whole(const cstreams_decoder *decoder);
