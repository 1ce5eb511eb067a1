#pragma once
// PCRE2 behind a header of ours: compiled patterns that cut a UTF-8 text into pieces.

#include <stddef.h>
#include <stdint.h>

typedef struct CRegex CRegex;

/// Compiles a pattern (UTF-8, Unicode classes, JIT where the machine has it). On failure NULL, with a message of at
/// most `capacity` bytes and the offset in the pattern.
CRegex *cregex_compile(const char *pattern, size_t length, char *message, size_t capacity, size_t *offset);
void cregex_free(CRegex *regex);

/// One thread's working memory for matching; any number of patterns may use it in turn.
typedef struct CRegexScratch CRegexScratch;
CRegexScratch *cregex_scratch_new(void);
void cregex_scratch_free(CRegexScratch *scratch);

/// Cuts valid UTF-8 at every match: matches and what lies between them are pieces.
///
/// Starts at `*position` and writes the end offset of each piece to `ends` until the text or `capacity` (at least 2) is
/// used up; moves `*position` to the end of the last piece written. Gives the number of ends, or a negative PCRE2 code.
ptrdiff_t cregex_split(const CRegex *regex, CRegexScratch *scratch, const uint8_t *text, size_t length,
                       size_t *position, uint32_t *ends, size_t capacity);
