#include "CStreams.h"

#include <errno.h>
#include <iconv.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

struct cstreams_decoder {
  enum { GZIP, ZSTD, CP949 } kind;
  int whole;
  z_stream gzip;
  ZSTD_DStream *zstd;
  iconv_t cp949;
};

static cstreams_decoder *new_decoder(int kind) {
  cstreams_decoder *decoder = calloc(1, sizeof *decoder);
  if (!decoder) return NULL;
  decoder->kind = kind;
  decoder->whole = 1;
  return decoder;
}

cstreams_decoder *cstreams_gzip(void) {
  cstreams_decoder *decoder = new_decoder(GZIP);
  // 15 bits of window; 16 more ask for gzip's header and check sum.
  if (decoder && inflateInit2(&decoder->gzip, 15 + 16) != Z_OK) {
    free(decoder);
    return NULL;
  }
  return decoder;
}

cstreams_decoder *cstreams_zstd(void) {
  cstreams_decoder *decoder = new_decoder(ZSTD);
  if (decoder && !(decoder->zstd = ZSTD_createDStream())) {
    free(decoder);
    return NULL;
  }
  return decoder;
}

cstreams_decoder *cstreams_cp949(void) {
  cstreams_decoder *decoder = new_decoder(CP949);
  if (decoder && (decoder->cp949 = iconv_open("UTF-8", "CP949")) == (iconv_t)-1) {
    free(decoder);
    return NULL;
  }
  return decoder;
}

void cstreams_free(cstreams_decoder *decoder) {
  if (!decoder) return;
  switch (decoder->kind) {
  case GZIP: inflateEnd(&decoder->gzip); break;
  case ZSTD: ZSTD_freeDStream(decoder->zstd); break;
  case CP949: iconv_close(decoder->cp949); break;
  }
  free(decoder);
}

static int inflate_some(cstreams_decoder *decoder, const uint8_t *in, size_t length, size_t *used, uint8_t *out,
                        size_t capacity, size_t *made) {
  z_stream *gzip = &decoder->gzip;
  // A member that ended is followed by another one, or by nothing.
  if (decoder->whole && length > 0 && gzip->total_in > 0 && inflateReset(gzip) != Z_OK) return CSTREAMS_BAD_INPUT;
  gzip->next_in = (Bytef *)in;
  gzip->avail_in = length > 1 << 30 ? 1 << 30 : (uInt)length;
  gzip->next_out = out;
  gzip->avail_out = capacity > 1 << 30 ? 1 << 30 : (uInt)capacity;
  uInt in_before = gzip->avail_in, out_before = gzip->avail_out;
  int status = inflate(gzip, Z_NO_FLUSH);
  *used = in_before - gzip->avail_in;
  *made = out_before - gzip->avail_out;
  if (*used > 0) decoder->whole = 0;
  switch (status) {
  case Z_STREAM_END: decoder->whole = 1; return CSTREAMS_OK;
  case Z_OK:
  case Z_BUF_ERROR: return CSTREAMS_OK;
  case Z_MEM_ERROR: return CSTREAMS_NO_MEMORY;
  default: return CSTREAMS_BAD_INPUT;
  }
}

static int unzstd_some(cstreams_decoder *decoder, const uint8_t *in, size_t length, size_t *used, uint8_t *out,
                       size_t capacity, size_t *made) {
  ZSTD_inBuffer source = {in, length, 0};
  ZSTD_outBuffer target = {out, capacity, 0};
  size_t left = ZSTD_decompressStream(decoder->zstd, &target, &source);
  *used = source.pos;
  *made = target.pos;
  if (ZSTD_isError(left)) return CSTREAMS_BAD_INPUT;
  // 0: a frame is decoded and all of it was given out.
  if (source.pos > 0 || target.pos > 0) decoder->whole = left == 0;
  return CSTREAMS_OK;
}

static int convert_some(cstreams_decoder *decoder, const uint8_t *in, size_t length, size_t *used, uint8_t *out,
                        size_t capacity, size_t *made) {
  char *source = (char *)in, *target = (char *)out;
  size_t source_left = length, target_left = capacity;
  size_t status = iconv(decoder->cp949, &source, &source_left, &target, &target_left);
  *used = length - source_left;
  *made = capacity - target_left;
  // E2BIG: the output is full. EINVAL: the input ends within a character.
  if (status == (size_t)-1 && errno == EILSEQ) return CSTREAMS_BAD_INPUT;
  return CSTREAMS_OK;
}

int cstreams_decode(cstreams_decoder *decoder, const uint8_t *in, size_t length, size_t *used, uint8_t *out,
                    size_t capacity, size_t *made) {
  *used = 0;
  *made = 0;
  switch (decoder->kind) {
  case GZIP: return inflate_some(decoder, in, length, used, out, capacity, made);
  case ZSTD: return unzstd_some(decoder, in, length, used, out, capacity, made);
  case CP949: return convert_some(decoder, in, length, used, out, capacity, made);
  }
  return CSTREAMS_BAD_INPUT;
}

int cstreams_is_whole(const cstreams_decoder *decoder) { return decoder->whole; }
