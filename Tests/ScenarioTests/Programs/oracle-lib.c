/* The functions log themselves what they do: the oracle for what is said about their use. */
#include <time.h>

#include "oracle.h"

static void note(volatile struct oracle_log *log) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  log->last[GENERATION] = now.tv_sec * 1000000000l + now.tv_nsec;
  __atomic_add_fetch(&log->entries[GENERATION], 1, __ATOMIC_SEQ_CST);
}

void oracle_a(volatile struct oracle_log *log) { note(log); }
__asm__(".text\n.balign 4096\n");
void oracle_b(volatile struct oracle_log *log) { note(log); }
__asm__(".text\n.balign 4096\n");
void oracle_hold(volatile struct oracle_log *log, volatile long *inside, void (*inner)(void *), void *argument) {
  note(log);
  __atomic_add_fetch(&inside[GENERATION], 1, __ATOMIC_SEQ_CST);
  inner(argument);
  note(log);
  __atomic_sub_fetch(&inside[GENERATION], 1, __ATOMIC_SEQ_CST);
}
__asm__(".text\n.balign 4096\n");
void oracle_loop(volatile struct oracle_log *log, volatile int *stop) {
  note(log);
  while (!*stop) log->last[GENERATION] = 0x7fffffffffffffffl;
  note(log);
}

int oracle_generation(void) { return GENERATION; }
