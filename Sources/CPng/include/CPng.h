#pragma once
#include <stddef.h>
#include <stdint.h>

// PNG in memory over libpng. libpng reports errors by longjmp, which must not cross Swift frames, so both directions are
// single C calls that return 0, or -1 with one line in `error` (CPNG_ERROR_SIZE bytes, always terminated).

#define CPNG_ERROR_SIZE 160

/// One text chunk. `text` is UTF-8 with `length` bytes; `international` chooses iTXt (UTF-8) over tEXt (Latin-1).
typedef struct {
  char *keyword;
  char *text;
  size_t length;
  int international;
} cpng_text;

/// A decoded file. `rgba` is height*width*4 bytes, or NULL where only the text was asked for.
typedef struct {
  uint32_t width;
  uint32_t height;
  uint8_t *rgba;
  cpng_text *texts;
  int text_count;
} cpng_image;

/// Writes an 8-bit palette PNG: `indices` is height*width bytes, `palette` 3*colours bytes (colours in 1...256).
/// `pixels_per_metre` goes to pHYs. No time chunk is written. `*out` is to be freed with cpng_free.
int cpng_write_indexed(const uint8_t *indices, uint32_t width, uint32_t height, const uint8_t *palette, int colours,
                       uint32_t pixels_per_metre, const cpng_text *texts, int text_count, uint8_t **out,
                       size_t *out_size, char *error);

/// Reads any PNG up to 16384x16384 and 64 Mpixel as 8-bit RGBA with its text chunks. `*image` is to be released with
/// cpng_release. With `pixels` 0, stops before the image data.
int cpng_read(const uint8_t *data, size_t size, int pixels, cpng_image *image, char *error);

void cpng_release(cpng_image *image);
void cpng_free(void *memory);
