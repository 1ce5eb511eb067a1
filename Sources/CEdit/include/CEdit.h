#pragma once
// One line at a time from a terminal, by libedit: arrow keys, history, wide characters.

/// A line editor on standard input. Text is UTF-8 whatever the locale says.
typedef struct cedit_editor cedit_editor;

/// `output` is the terminal's descriptor that is written to. `is_stopped` is asked while a key is waited for; other than 0 ends the wait.
/// NULL where the terminal can't be used.
cedit_editor *cedit_open(int output, int (*is_stopped)(void));

void cedit_close(cedit_editor *editor);

/// The next line without its end, which goes into the history; good until the next call. NULL at the end of the input and where
/// `is_stopped` ended the wait.
const char *cedit_read(cedit_editor *editor, const char *prompt);
