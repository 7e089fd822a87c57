/* HOW is 1: a plain mutex. 2: the lock is held for as short as can be. 3: in steps of one, as before, but checked. */
#include "counter.h"

#include <pthread.h>
#include <stdlib.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned long all;
static __thread unsigned long own;

/* The same in all versions: code that changes must leave thread-local variables to code that does not. */
static __attribute__((noinline)) unsigned long next_own(void) { return ++own; }

struct counts count(void) {
  struct counts counts;
#if HOW == 1
  pthread_mutex_lock(&lock);
  counts = (struct counts){++all, next_own(), "a mutex around everything"};
  pthread_mutex_unlock(&lock);
#else
  pthread_mutex_lock(&lock);
  const unsigned long number = ++all;
  pthread_mutex_unlock(&lock);
  counts = (struct counts){number, next_own(), "a short lock"};
#if HOW == 3
  counts.how = "a short lock, and a check";
  if (counts.own > counts.all) abort();
#endif
#endif
  return counts;
}
