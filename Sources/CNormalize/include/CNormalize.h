#pragma once
// Unicode normalisation form C by ICU, whose own headers clash with Foundation's and stay in the .c file.

#include <stddef.h>
#include <stdint.h>

/// Whether valid UTF-8 is surely in form C already, told without ICU: a scan that knows the scripts in which nothing
/// composes. 0 means "look closer", not "no".
int cnormalize_surely_nfc(const uint8_t *text, size_t length);

/// Form C of valid UTF-8.
/// 0: the text is in form C already (`*out` is NULL). 1: `*out`, to be freed with `free`, holds `*out_length` bytes.
/// Negative: ICU failed, or no memory.
int cnormalize_nfc_utf8(const uint8_t *text, size_t length, uint8_t **out, size_t *out_length);

/// The same for UTF-16; lengths in code units.
int cnormalize_nfc_utf16(const uint16_t *text, size_t length, uint16_t **out, size_t *out_length);
