/* What a call costs that comes to a gate: bench_version is called by a signal handler, which never does an update's work
   (docs/updates.md). Prints nanoseconds of processor time for a call before the library's file changes and while the
   gate is up, a median each. The argument is the file of the version that needs work. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

extern int bench_version(void);
enum { CALLS = 200, ROUNDS = 201 };
static double cost;

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static void handle(int number) {
  (void)number;
  const double start = now();
  for (int i = 0; i < CALLS; i++) bench_version();
  cost = (now() - start) / CALLS;
}

static int compare(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(void) {
  double costs[ROUNDS];
  for (int i = 0; i < ROUNDS; i++) {
    raise(SIGUSR1);
    costs[i] = cost;
  }
  qsort(costs, ROUNDS, sizeof costs[0], compare);
  return costs[ROUNDS / 2];
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  signal(SIGUSR1, handle);
  const double before = median();
  if (rename(argv[1], argv[2]) != 0) return 1;
  /* The gate is up when a call takes ten times as long, for at most ten seconds. */
  const struct timespec pause = {0, 10000000};
  for (int i = 0; i < 1000; i++) {
    raise(SIGUSR1);
    if (cost > 10 * before && cost > 200) break;
    nanosleep(&pause, NULL);
  }
  printf("%.1f %.0f\n", before, median());
  return 0;
}
