#pragma once

/// Swaps two paths in one step (Linux renameat2 with RENAME_EXCHANGE). Returns 0, or the errno; ENOSYS and EINVAL mean that the
/// kernel or the file system can't.
int csystem_exchange(const char *a, const char *b);
