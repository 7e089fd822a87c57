/* A queue behind a mutex and two condition variables, made by a once-control; all of it state of this library, used by
   old and new code at the same time. VERSION is a number. */
#include <pthread.h>

#include "many.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t not_full = PTHREAD_COND_INITIALIZER, not_empty = PTHREAD_COND_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static unsigned long queue[4], first, last, made;
static __thread unsigned long own;

static void make(void) { made++; }

int many_version(void) { return VERSION; }

unsigned long many_put(unsigned long value) {
  pthread_once(&once, make);
  pthread_mutex_lock(&lock);
  while (last - first == 4) pthread_cond_wait(&not_full, &lock);
  queue[last++ % 4] = value;
  pthread_cond_signal(&not_empty);
  pthread_mutex_unlock(&lock);
  return ++own;
}

unsigned long many_take(void) {
  pthread_once(&once, make);
  pthread_mutex_lock(&lock);
  while (last == first) pthread_cond_wait(&not_empty, &lock);
  const unsigned long value = queue[first++ % 4];
  pthread_cond_signal(&not_full);
  pthread_mutex_unlock(&lock);
  return value;
}

unsigned long many_made(void) { return made; }
