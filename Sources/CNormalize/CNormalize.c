#include "CNormalize.h"

#include <limits.h>
#include <stdlib.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>

// Characters of these ranges are in form C, have combining class 0 and compose with nothing before them, so any row of
// them is in form C: below U+0300 all; then punctuation and symbols, kana without their voicing marks, CJK ideographs,
// whole Hangul syllables (not the jamo they are made of), emoji with their joiner and variation selector.
static int inert(uint32_t c) {
  if (c < 0x300) return 1;
  if (c >= 0xAC00 && c <= 0xD7A3) return 1;
  if (c >= 0x3400 && c <= 0x9FFF) return 1;
  if (c >= 0x3003 && c <= 0x3029) return 1;
  if (c >= 0x3000 && c <= 0x33FF) return !(c >= 0x302A && c <= 0x302F) && c != 0x3099 && c != 0x309A;
  if (c >= 0x2002 && c <= 0x20CF) return 1;
  if (c >= 0x2190 && c <= 0x2328) return 1;
  if (c >= 0x232B && c <= 0x2ADB) return 1;
  if (c >= 0x0410 && c <= 0x044F) return 1;
  if (c == 0xFE0F || (c >= 0xFF01 && c <= 0xFFEF)) return 1;
  return (c >= 0x1F000 && c <= 0x1FAFF) || (c >= 0x20000 && c <= 0x2F7FF);
}

int cnormalize_surely_nfc(const uint8_t *text, size_t length) {
  size_t at = 0;
  while (at < length) {
    uint8_t lead = text[at];
    // Lead bytes below 0xCC: one and two byte characters under U+0300.
    if (lead < 0x80) {
      at += 1;
    } else if (lead < 0xCC) {
      at += 2;
    } else if (lead < 0xE0) {
      if (at + 2 > length || !inert((uint32_t)(lead & 0x1F) << 6 | (text[at + 1] & 0x3F))) return 0;
      at += 2;
    } else if (lead < 0xF0) {
      if (at + 3 > length) return 0;
      uint32_t c = (uint32_t)(lead & 0x0F) << 12 | (uint32_t)(text[at + 1] & 0x3F) << 6 | (text[at + 2] & 0x3F);
      if (!inert(c)) return 0;
      at += 3;
    } else {
      if (at + 4 > length) return 0;
      uint32_t c = (uint32_t)(lead & 0x07) << 18 | (uint32_t)(text[at + 1] & 0x3F) << 12 |
                   (uint32_t)(text[at + 2] & 0x3F) << 6 | (text[at + 3] & 0x3F);
      if (!inert(c)) return 0;
      at += 4;
    }
  }
  return 1;
}

int cnormalize_nfc_utf16(const uint16_t *text, size_t length, uint16_t **out, size_t *out_length) {
  *out = NULL;
  *out_length = 0;
  if (length > INT32_MAX / 4) return -1;
  UErrorCode error = U_ZERO_ERROR;
  const UNormalizer2 *nfc = unorm2_getNFCInstance(&error);
  if (U_FAILURE(error)) return -1;
  int32_t done = unorm2_spanQuickCheckYes(nfc, (const UChar *)text, (int32_t)length, &error);
  if (U_FAILURE(error)) return -1;
  if ((size_t)done == length) return 0;
  int32_t capacity = (int32_t)length + 16;
  for (;;) {
    UChar *buffer = malloc((size_t)capacity * sizeof *buffer);
    if (!buffer) return -2;
    error = U_ZERO_ERROR;
    int32_t count = unorm2_normalize(nfc, (const UChar *)text, (int32_t)length, buffer, capacity, &error);
    if (U_SUCCESS(error)) {
      *out = (uint16_t *)buffer;
      *out_length = (size_t)count;
      return 1;
    }
    free(buffer);
    if (error != U_BUFFER_OVERFLOW_ERROR || count <= capacity) return -1;
    capacity = count;
  }
}

int cnormalize_nfc_utf8(const uint8_t *text, size_t length, uint8_t **out, size_t *out_length) {
  *out = NULL;
  *out_length = 0;
  if (cnormalize_surely_nfc(text, length)) return 0;
  if (length > INT32_MAX / 4) return -1;
  UErrorCode error = U_ZERO_ERROR;
  UChar *wide = malloc((length + 1) * sizeof *wide);
  if (!wide) return -2;
  int32_t count = 0;
  u_strFromUTF8(wide, (int32_t)length + 1, &count, (const char *)text, (int32_t)length, &error);
  if (U_FAILURE(error)) {
    free(wide);
    return -1;
  }
  uint16_t *normal = NULL;
  size_t normal_length = 0;
  int state = cnormalize_nfc_utf16((const uint16_t *)wide, (size_t)count, &normal, &normal_length);
  free(wide);
  if (state != 1) return state;
  uint8_t *bytes = malloc(normal_length * 3 + 1);
  if (!bytes) {
    free(normal);
    return -2;
  }
  u_strToUTF8((char *)bytes, (int32_t)(normal_length * 3 + 1), &count, (const UChar *)normal, (int32_t)normal_length,
              &error);
  free(normal);
  if (U_FAILURE(error)) {
    free(bytes);
    return -1;
  }
  *out = bytes;
  *out_length = (size_t)count;
  return 1;
}
