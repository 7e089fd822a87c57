/* Waits, without pause, for the GOT to lead calls of FUNCTION of a library somewhere else, and writes when it does, as
   polling.c: 1 for the first address, 2 for another. */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define STRING(name) #name
#define SLOT(name) STRING(name) "@GOTPCREL(%%rip)"
/* By hand: for a compiler the address of a function does not change, and it would look once. */
#define ADDRESS(result) __asm__ volatile("movq " SLOT(FUNCTION) ", %0" : "=r"(result) : : "memory")

static void *wait_for_end(void *unused) {
  char byte;
  while (read(0, &byte, 1) > 0) {
  }
  exit(0);
  return unused;
}

int main(void) {
  pthread_t thread;
  const void *first, *last = NULL, *function;
  ADDRESS(first);
  pthread_create(&thread, NULL, wait_for_end, NULL);
  for (;;) {
    ADDRESS(function);
    if (function == last) continue;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    last = function;
    const int64_t event[2] = {function == first ? 1 : 2, now.tv_sec * INT64_C(1000000000) + now.tv_nsec};
    if (write(1, event, sizeof event) != sizeof event) return 1;
  }
}
