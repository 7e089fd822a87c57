/* A library whose old code can stay in use: a loop that does not return, and a function whose address is kept. */
#include "stale.h"

const char *stale_version(void) { return VERSION; }

#ifdef CHANGED
const char *stale_callback(void) {
  const char *text = "callback " VERSION;
  __asm__ volatile("nop" : "+r"(text));
  return text;
}
#else
const char *stale_callback(void) { return "callback " VERSION; }
#endif

/* Not inlined, and nothing in it leaves the library's own text. */
unsigned long stale_loop(volatile int *stop) {
  unsigned long rounds = 0;
  while (!*stop) rounds++;
  return rounds;
}

/* Calls back, so that a return address of this library stays on the stack meanwhile. */
const char *stale_around(void (*inner)(void)) {
  inner();
  return "around " VERSION;
}
