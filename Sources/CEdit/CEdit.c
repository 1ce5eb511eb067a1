#define _GNU_SOURCE
#include "CEdit.h"

#include <errno.h>
#include <histedit.h>
#include <locale.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

struct cedit_editor {
  EditLine *line;
  History *history;
  FILE *output;
  locale_t locale;
  const char *prompt;
  char *text;
  int (*is_stopped)(void);
};

static cedit_editor *editor_of(EditLine *line) {
  cedit_editor *editor = NULL;
  el_get(line, EL_CLIENTDATA, &editor);
  return editor;
}

static char *prompt_of(EditLine *line) { return (char *)editor_of(line)->prompt; }

/// Waits for one byte. 1, 0 at the end of the input, -1 on a failure or where the wait was ended.
static int read_byte(cedit_editor *editor, char *byte) {
  for (;;) {
    // Signals end poll() but not read(): what stops the wait is seen at once.
    struct pollfd wanted = {.fd = STDIN_FILENO, .events = POLLIN};
    int ready = editor->is_stopped() ? -1 : poll(&wanted, 1, 100);
    if (editor->is_stopped()) return -1;
    if (ready < 0 && errno != EINTR) return -1;
    if (ready <= 0) continue;
    ssize_t count = read(STDIN_FILENO, byte, 1);
    if (count >= 0) return (int)count;
    if (errno != EINTR && errno != EAGAIN) return -1;
  }
}

/// One character for libedit; bytes that are none are left out.
static int read_character(EditLine *line, wchar_t *character) {
  cedit_editor *editor = editor_of(line);
  mbstate_t state;
  memset(&state, 0, sizeof state);
  for (;;) {
    char byte;
    int count = read_byte(editor, &byte);
    if (count <= 0) return count;
    size_t used = mbrtowc(character, &byte, 1, &state);
    if (used == (size_t)-2) continue;
    if (used != (size_t)-1) return 1;
    memset(&state, 0, sizeof state);
  }
}

cedit_editor *cedit_open(int output, int (*is_stopped)(void)) {
  cedit_editor *editor = calloc(1, sizeof *editor);
  if (!editor) return NULL;
  editor->is_stopped = is_stopped;
  editor->locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
  int copy = dup(output);
  editor->output = copy < 0 ? NULL : fdopen(copy, "w");
  if (copy >= 0 && !editor->output) close(copy);
  if (!editor->locale || !editor->output) {
    cedit_close(editor);
    return NULL;
  }
  locale_t before = uselocale(editor->locale);
  editor->line = el_init("lorapress", stdin, editor->output, editor->output);
  editor->history = history_init();
  if (editor->line && editor->history) {
    HistEvent event;
    history(editor->history, &event, H_SETSIZE, 200);
    history(editor->history, &event, H_SETUNIQUE, 1);
    el_set(editor->line, EL_CLIENTDATA, editor);
    el_set(editor->line, EL_EDITOR, "emacs");
    el_set(editor->line, EL_PROMPT, prompt_of);
    el_set(editor->line, EL_HIST, history, editor->history);
    el_set(editor->line, EL_GETCFN, read_character);
  }
  uselocale(before);
  if (!editor->line || !editor->history) {
    cedit_close(editor);
    return NULL;
  }
  return editor;
}

void cedit_close(cedit_editor *editor) {
  if (!editor) return;
  if (editor->line) el_end(editor->line);
  if (editor->history) history_end(editor->history);
  if (editor->output) fclose(editor->output);
  if (editor->locale) freelocale(editor->locale);
  free(editor->text);
  free(editor);
}

const char *cedit_read(cedit_editor *editor, const char *prompt) {
  locale_t before = uselocale(editor->locale);
  editor->prompt = prompt;
  int count = 0;
  const char *line = el_gets(editor->line, &count);
  free(editor->text);
  editor->text = NULL;
  if (line && count > 0 && !editor->is_stopped()) {
    size_t length = strlen(line);
    while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '\r')) length -= 1;
    editor->text = strndup(line, length);
    if (editor->text && length > 0) {
      HistEvent event;
      history(editor->history, &event, H_ENTER, editor->text);
    }
  }
  uselocale(before);
  return editor->text;
}
