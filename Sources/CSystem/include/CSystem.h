#pragma once

/// The cores that this process may run on: `taskset` narrows them.
int csystem_cores(void);

/// Swaps two paths in one step (Linux renameat2 with RENAME_EXCHANGE). Returns 0, or the errno; ENOSYS and EINVAL mean that the
/// kernel or the file system can't.
int csystem_exchange(const char *a, const char *b);

/// From now on SIGINT and SIGTERM only raise a flag; a second one ends the process at once with 128 + its number. SIGPIPE is ignored.
/// In C, since a handler that runs Swift may allocate memory while the interrupted thread is allocating.
void csystem_watch_interrupts(void);

/// The number of the signal that came, SIGINT or SIGTERM; 0 without one.
int csystem_interrupt_requested(void);

/// Lowers the flag again: the interruption has been answered, and the next one is a first one.
void csystem_forget_interrupt(void);

/// Gives freed memory back to the system, and counts the process's peak resident memory (VmHWM) from here on. Returns 0, or the errno
/// where the kernel doesn't allow it; the peak then stays.
int csystem_restart_peak_memory(void);
