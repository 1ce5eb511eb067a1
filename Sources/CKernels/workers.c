// A team of threads that wait for work in a short loop before they sleep: a training step shares work out thousands of times, and waking a
// sleeping thread each time costs more than many of these pieces of work.
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "CKernels.h"

#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#endif

#if defined(__x86_64__)
#define PAUSE() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define PAUSE() __asm__ __volatile__("yield")
#else
#define PAUSE() ((void)0)
#endif

// About a tenth of a millisecond: longer than the gaps within a step.
enum { SPINS = 3000, MOST_WORKERS = 255 };

// The number of the work in the upper half, the next part that nobody took in the lower one: a late worker can't take a part of work it
// did not read about.
static _Atomic uint64_t ticket;
static _Atomic(ck_part *) work_body;
static _Atomic(void *) work_context;
static _Atomic long work_parts;
static _Atomic long parts_done;

// Counts the works; workers sleep on it.
static _Atomic uint32_t bell;
static _Atomic int sleeping;

static pthread_mutex_t owner = PTHREAD_MUTEX_INITIALIZER;
static int workers = 0;
static pid_t process = 0;

static void sleep_on_bell(uint32_t seen) {
  atomic_fetch_add(&sleeping, 1);
#if defined(__linux__)
  syscall(SYS_futex, &bell, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
#else
  if (atomic_load(&bell) == seen) usleep(50);
#endif
  atomic_fetch_sub(&sleeping, 1);
}

static void wake_sleepers(int count) {
#if defined(__linux__)
  syscall(SYS_futex, &bell, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
#else
  (void)count;
#endif
}

// Does parts of the present work until none is left.
static void take_parts(void) {
  for (;;) {
    uint64_t seen = atomic_load(&ticket);
    ck_part *body = atomic_load(&work_body);
    void *context = atomic_load(&work_context);
    long part = (long)(seen & 0xFFFFFFFFu);
    if (part >= atomic_load(&work_parts)) return;
    // Still the work whose body was read, or the exchange fails.
    if (!atomic_compare_exchange_weak(&ticket, &seen, seen + 1)) continue;
    body(context, part);
    atomic_fetch_add(&parts_done, 1);
  }
}

static void *serve(void *nothing) {
  uint32_t seen = 0;
  for (;;) {
    uint32_t now = atomic_load(&bell);
    for (int i = 0; now == seen && i < SPINS; i++) {
      PAUSE();
      now = atomic_load(&bell);
    }
    if (now == seen) {
      sleep_on_bell(seen);
      continue;
    }
    seen = now;
    take_parts();
  }
  return nothing;
}

static void grow(int wanted) {
  // Signals are for the threads that wait for them.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  pthread_attr_t detached;
  pthread_attr_init(&detached);
  pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
  while (workers < wanted) {
    pthread_t thread;
    if (pthread_create(&thread, &detached, serve, NULL) != 0) break;
    workers++;
  }
  pthread_attr_destroy(&detached);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void ck_share_out(long parts, ck_part *body, void *context) {
  // Work within work, and that of a second thread meanwhile, is done where it is.
  if (parts <= 1 || pthread_mutex_trylock(&owner) != 0) {
    for (long part = 0; part < parts; part++) body(context, part);
    return;
  }
  // A child made by fork has none of its parent's threads.
  if (process != getpid()) {
    process = getpid();
    workers = 0;
    atomic_store(&sleeping, 0);
  }
  int wanted = parts - 1 < MOST_WORKERS ? (int)(parts - 1) : MOST_WORKERS;
  if (workers < wanted) grow(wanted);
  uint64_t number = (atomic_load(&ticket) >> 32) + 1;
  // Between these lines a late worker sees no part left: the ticket still counts those of the old work.
  atomic_store(&parts_done, 0);
  atomic_store(&work_body, body);
  atomic_store(&work_context, context);
  atomic_store(&ticket, number << 32 | 0xFFFFFFFFu);
  atomic_store(&work_parts, parts);
  atomic_store(&ticket, (number + 1) << 32);
  atomic_fetch_add(&bell, 1);
  if (atomic_load(&sleeping) > 0) wake_sleepers(wanted);
  take_parts();
  for (long i = 0; atomic_load(&parts_done) < parts; i++) {
    if (i < SPINS) {
      PAUSE();
    } else {
      sched_yield();
    }
  }
  pthread_mutex_unlock(&owner);
}
