/* A clock that stands elsewhere, for the browser tests alone (house.mjs): loaded before Ward with LD_PRELOAD, it adds
 * CLOCK_SHIFT seconds to the time of day, so that a house can have lived in the past. Clocks by which programs wait go as
 * they go. The kernel is asked without any library: the allocator reads the time before it can allocate. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long shift;

__attribute__((constructor)) static void read_shift(void) {
  const char *seconds = getenv("CLOCK_SHIFT");
  shift = seconds ? atol(seconds) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  int failed = (int)syscall(SYS_clock_gettime, clock, now);
  if (!failed && clock == CLOCK_REALTIME) now->tv_sec += shift;
  return failed;
}

/* SQLite's. */
int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  int failed = (int)syscall(SYS_gettimeofday, now, zone);
  if (!failed && now) now->tv_sec += shift;
  return failed;
}
