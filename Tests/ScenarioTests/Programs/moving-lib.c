/* A library whose variables move from LAYOUT to LAYOUT: 1 as it starts, 2 with new ones between them, 3 in another
   order and without one. What it counts must not be lost. To be compiled without reordering of variables. */
#include <pthread.h>

#include "moving.h"

#if LAYOUT == 1
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long total = 100;
static const char *volatile note = "one";
static long parts[MOVING_THREADS];
int moving_shared = 7;
static long *chosen = &total;
static long forgotten[3] = {1, 2, 3};
#elif LAYOUT == 2
static long before[5] = {1, 2, 3, 4, 5};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *volatile note = "two, which is longer";
static int extra_known;
static long total = 100;
static long extra = 1000;
int moving_shared = 7;
static long parts[MOVING_THREADS];
static long *chosen = &total;
static long forgotten[3] = {1, 2, 3};
#else
static long total;
static long *chosen = &total;
static long extra = 1000;
static int extra_known;
int moving_shared = 7;
static long before[5] = {1, 2, 3, 4, 5};
static long parts[MOVING_THREADS];
static const char *volatile note = "three";
static long total = 100;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
#endif

long moving_add(int thread, long count) {
  pthread_mutex_lock(&lock);
  total += count;
  parts[thread] += count;
  const long result = *chosen;
  pthread_mutex_unlock(&lock);
  return result;
}

long moving_part(int thread) { return parts[thread]; }
const char *moving_note(void) { return note; }
int *moving_address(void) { return &moving_shared; }
int moving_layout(void) { return LAYOUT; }

#if LAYOUT < 3
long moving_forget(int i) { return forgotten[i]++; }
#else
long moving_forget(int i) { return i; }
#endif

#if LAYOUT == 1
long moving_extra(int i) { return -i - 1; }
#else
long moving_extra(int i) {
  extra_known = 1;
  return extra++ + before[i];
}
#endif
