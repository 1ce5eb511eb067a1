#define _GNU_SOURCE
#include "CSystem.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int csystem_exchange(const char *a, const char *b) {
#ifdef SYS_renameat2
  const unsigned exchange = 2;
  return syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, exchange) == 0 ? 0 : errno;
#else
  (void)a, (void)b;
  return ENOSYS;
#endif
}

static volatile sig_atomic_t interrupted = 0;

static void note_interrupt(int number) {
  if (interrupted) _exit(128 + number);
  interrupted = number;
}

void csystem_watch_interrupts(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  sigemptyset(&action.sa_mask);
  action.sa_handler = note_interrupt;
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  action.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &action, NULL);

  // A parent may have started us with these blocked.
  sigset_t watched;
  sigemptyset(&watched);
  sigaddset(&watched, SIGINT);
  sigaddset(&watched, SIGTERM);
  sigprocmask(SIG_UNBLOCK, &watched, NULL);
}

int csystem_interrupt_requested(void) { return interrupted; }

void csystem_forget_interrupt(void) { interrupted = 0; }

int csystem_restart_peak_memory(void) {
  malloc_trim(0);
  // proc(5): 5 written to clear_refs sets the peak to what is resident.
  int file = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
  if (file < 0) return errno;
  int result = write(file, "5", 1) == 1 ? 0 : errno;
  close(file);
  return result;
}

int csystem_cores(void) {
#if defined(__linux__)
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) return CPU_COUNT(&allowed);
#endif
  long online = sysconf(_SC_NPROCESSORS_ONLN);
  return online > 0 ? (int)online : 1;
}
