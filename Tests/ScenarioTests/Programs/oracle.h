#ifndef GENERATION
#define GENERATION 0
#endif
#define GENERATIONS 64
/* What code of each version does, by itself: when it ran last (nanoseconds of CLOCK_MONOTONIC), how often it was entered,
   and how many of its frames there are on stacks of threads, and on stacks that are set aside. */
struct oracle_log {
  long last[GENERATIONS];
  long entries[GENERATIONS];
  long inside[GENERATIONS];
  long aside[GENERATIONS];
};
void oracle_a(volatile struct oracle_log *);
void oracle_b(volatile struct oracle_log *);
/* Calls back, and counts itself as inside meanwhile; inside is what the frame is counted in. */
void oracle_hold(volatile struct oracle_log *, volatile long *inside, void (*inner)(void *), void *argument);
/* Runs until it is told to stop, without a call to anybody. */
void oracle_loop(volatile struct oracle_log *, volatile int *stop);
int oracle_generation(void);
