/* A library whose state is a count behind a mutex. VERSION is a text; the variants change what the loader looks at. */
#include <pthread.h>
#include <stdlib.h>

#include "counter.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned long count = FIRST;
static unsigned long of_thread[COUNTER_THREADS];
#ifdef MORE_STATE
static unsigned long more = 1;
#endif

#ifdef IFUNC
/* Which function it is, a resolver says: code that only a program thread may run. */
static unsigned long one(void) { return 1; }
static unsigned long (*choose(void))(void) { return one; }
unsigned long step(void) __attribute__((ifunc("choose"), visibility("hidden")));
#else
#define step() 1
#endif

struct counter_answer counter_add(unsigned thread) {
  pthread_mutex_lock(&lock);
  const unsigned long own = ++of_thread[thread];
#ifdef MORE_STATE
  more += own;
  struct counter_answer answer = {VERSION, count += step(), own + more - more};
#else
  struct counter_answer answer = {VERSION, count += step(), own};
#endif
  pthread_mutex_unlock(&lock);
  return answer;
}

#ifdef MORE_HEAP
#define RECORD_SIZE 96
#else
#define RECORD_SIZE 64
#endif
void *counter_record(void) { return malloc(RECORD_SIZE); }

#ifndef LESS_EXPORTS
unsigned long counter_value(void) {
  pthread_mutex_lock(&lock);
  const unsigned long value = count;
  pthread_mutex_unlock(&lock);
  return value;
}
#endif
