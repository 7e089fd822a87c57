/* pausing: eight threads call bench_version without pause. Each event is that of polling.c; at the end of standard input
   the longest time that passed between two calls is written to standard error: processor time of the thread, in which
   it was not merely out of turn, and real time. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

extern int bench_version(void);
enum { THREADS = 8 };
static atomic_int ended;
static int64_t longest[THREADS], longest_real[THREADS];

static int64_t now(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

static void *run(void *argument) {
  const size_t self = (size_t)argument;
  int64_t time = now(CLOCK_THREAD_CPUTIME_ID), real = now(CLOCK_MONOTONIC);
  for (int last = 0; !ended;) {
    const int version = bench_version();
    const int64_t next = now(CLOCK_THREAD_CPUTIME_ID), next_real = now(CLOCK_MONOTONIC);
    if (next - time > longest[self]) longest[self] = next - time;
    if (next_real - real > longest_real[self]) longest_real[self] = next_real - real;
    time = next;
    real = next_real;
    if (self == 0 && version != last) {
      const int64_t event[2] = {version, next_real};
      if (write(1, event, sizeof event) != sizeof event) exit(1);
      last = version;
    }
  }
  return NULL;
}

int main(void) {
  pthread_t threads[THREADS];
  char byte;
  int64_t most = 0, most_real = 0;
  for (size_t i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, run, (void *)i);
  while (read(0, &byte, 1) > 0) {
  }
  ended = 1;
  for (int i = 0; i < THREADS; i++) {
    pthread_join(threads[i], NULL);
    if (longest[i] > most) most = longest[i];
    if (longest_real[i] > most_real) most_real = longest_real[i];
  }
  fprintf(stderr, "%.0f us of processor time, %.0f us of real time\n", (double)most / 1e3, (double)most_real / 1e3);
  return 0;
}
