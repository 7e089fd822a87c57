/* A library whose state is a count behind a mutex. VERSION is a text; the variants change what the loader looks at. */
#include <pthread.h>

#include "counter.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned long count = FIRST;
static unsigned long of_thread[COUNTER_THREADS];
#ifdef MORE_STATE
static unsigned long more = 1;
#endif

struct counter_answer counter_add(unsigned thread) {
  pthread_mutex_lock(&lock);
  const unsigned long own = ++of_thread[thread];
#ifdef MORE_STATE
  more += own;
  struct counter_answer answer = {VERSION, ++count, own + more - more};
#else
  struct counter_answer answer = {VERSION, ++count, own};
#endif
  pthread_mutex_unlock(&lock);
  return answer;
}

#ifndef LESS_EXPORTS
unsigned long counter_value(void) {
  pthread_mutex_lock(&lock);
  const unsigned long value = count;
  pthread_mutex_unlock(&lock);
  return value;
}
#endif
