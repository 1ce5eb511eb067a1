#include "CRegex.h"

#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

struct CRegex {
  pcre2_code *code;
  int jit;
};

struct CRegexScratch {
  pcre2_match_data *data;
  pcre2_match_context *context;
  pcre2_jit_stack *stack;
};

CRegex *cregex_compile(const char *pattern, size_t length, char *message, size_t capacity, size_t *offset) {
  int error = 0;
  PCRE2_SIZE place = 0;
  pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern, length, PCRE2_UTF | PCRE2_UCP, &error, &place, NULL);
  *offset = place;
  if (!code) {
    if (capacity) pcre2_get_error_message(error, (PCRE2_UCHAR *)message, capacity);
    return NULL;
  }
  CRegex *regex = malloc(sizeof *regex);
  if (!regex) {
    pcre2_code_free(code);
    if (capacity) message[0] = 0;
    return NULL;
  }
  regex->code = code;
  // Without JIT (a machine that forbids writable code, say) the interpreter gives the same matches, slower.
  regex->jit = pcre2_jit_compile(code, PCRE2_JIT_COMPLETE) == 0;
  return regex;
}

void cregex_free(CRegex *regex) {
  if (!regex) return;
  pcre2_code_free(regex->code);
  free(regex);
}

CRegexScratch *cregex_scratch_new(void) {
  CRegexScratch *scratch = calloc(1, sizeof *scratch);
  if (!scratch) return NULL;
  scratch->data = pcre2_match_data_create(1, NULL);
  scratch->context = pcre2_match_context_create(NULL);
  if (!scratch->data || !scratch->context) {
    cregex_scratch_free(scratch);
    return NULL;
  }
  pcre2_set_match_limit(scratch->context, UINT32_MAX);
  pcre2_set_depth_limit(scratch->context, UINT32_MAX);
  return scratch;
}

void cregex_scratch_free(CRegexScratch *scratch) {
  if (!scratch) return;
  pcre2_match_data_free(scratch->data);
  pcre2_match_context_free(scratch->context);
  pcre2_jit_stack_free(scratch->stack);
  free(scratch);
}

static int match(const CRegex *regex, CRegexScratch *scratch, const uint8_t *text, size_t length, size_t start) {
  int code;
  if (regex->jit) {
    code = pcre2_jit_match(regex->code, text, length, start, PCRE2_NO_UTF_CHECK, scratch->data, scratch->context);
    if (code != PCRE2_ERROR_JIT_STACKLIMIT) return code;
    // A pattern that remembers a lot: give it a stack of its own, which it keeps.
    if (!scratch->stack) {
      scratch->stack = pcre2_jit_stack_create(1 << 16, (size_t)64 << 20, NULL);
      if (scratch->stack) {
        pcre2_jit_stack_assign(scratch->context, NULL, scratch->stack);
        code = pcre2_jit_match(regex->code, text, length, start, PCRE2_NO_UTF_CHECK, scratch->data, scratch->context);
        if (code != PCRE2_ERROR_JIT_STACKLIMIT) return code;
      }
    }
  }
  return pcre2_match(regex->code, text, length, start, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, scratch->data,
                     scratch->context);
}

ptrdiff_t cregex_split(const CRegex *regex, CRegexScratch *scratch, const uint8_t *text, size_t length,
                       size_t *position, uint32_t *ends, size_t capacity) {
  size_t done = *position, count = 0, from = done;
  while (done < length && count + 2 <= capacity) {
    int code = match(regex, scratch, text, length, from);
    if (code == PCRE2_ERROR_NOMATCH) {
      ends[count++] = (uint32_t)length;
      done = length;
      break;
    }
    if (code < 0) return code;
    PCRE2_SIZE *found = pcre2_get_ovector_pointer(scratch->data);
    size_t start = found[0], end = found[1];
    if (end <= start) {  // An empty match cuts nothing; look again one character on.
      from = (end > from ? end : from) + 1;
      while (from < length && (text[from] & 0xC0) == 0x80) from++;
      if (from < length) continue;
      ends[count++] = (uint32_t)length;
      done = length;
      break;
    }
    if (start > done) ends[count++] = (uint32_t)start;
    ends[count++] = (uint32_t)end;
    done = from = end;
  }
  *position = done;
  return (ptrdiff_t)count;
}
