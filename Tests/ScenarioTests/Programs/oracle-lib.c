/* The functions log each entry themselves: the oracle for what is said about their use. */
#include <time.h>

#include "oracle.h"

static void note(volatile struct oracle_log *log) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  log->last[GENERATION] = now.tv_sec * 1000000000l + now.tv_nsec;
}

void oracle_a(volatile struct oracle_log *log) { note(log); }
__asm__(".text\n.balign 4096\n");
void oracle_b(volatile struct oracle_log *log) { note(log); }
