// cmark-gfm with the tables extension and footnotes. Strikethrough ("2~3회 … 5~6회" would become one) and autolinks (they
// swallow the Korean particle after a URL) are left out on purpose.
#pragma once

#include <stddef.h>

#include <cmark-gfm.h>
#include <cmark-gfm-core-extensions.h>
#include <cmark-gfm-extension_api.h>

// Parses UTF-8 Markdown (invalid bytes become U+FFFD). NULL when memory or the extension is missing; the caller frees the
// node with cmark_node_free. cmarkdown_prepare must have been called once before, by one thread.
cmark_node *cmarkdown_parse(const char *text, size_t length);

void cmarkdown_prepare(void);
