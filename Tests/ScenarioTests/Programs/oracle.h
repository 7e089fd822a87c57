#ifndef GENERATION
#define GENERATION 0
#endif
/* When code of each version was entered last: nanoseconds of CLOCK_MONOTONIC. */
struct oracle_log {
  long last[64];
};
void oracle_a(volatile struct oracle_log *);
void oracle_b(volatile struct oracle_log *);
