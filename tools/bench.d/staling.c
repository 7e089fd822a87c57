/* staling CALLS: calls bench_version by a pointer that was taken before any update, every 10 ms from the first line of
   input on, and prints the median of what such a call takes when the function's text is away and when it is there, in
   nanoseconds. Ends with its input. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

extern int bench_version(void);

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

static int compare(const void *a, const void *b) {
  const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

/* Not on the stack, where it would count as a use. */
static int (*volatile kept)(void);

int main(int argc, char **argv) {
  kept = bench_version;
  const int calls = argc > 1 ? atoi(argv[1]) : 300;
  int64_t *away = calloc((size_t)calls, sizeof *away), *there = calloc((size_t)calls, sizeof *there);
  char line[16];
  puts("ready");
  fflush(stdout);
  while (fgets(line, sizeof line, stdin)) {
    for (int i = 0; i < calls; i++) {
      usleep(10000);
      int64_t start = now();
      kept();
      away[i] = now() - start;
      start = now();
      kept();
      there[i] = now() - start;
    }
    qsort(away, (size_t)calls, sizeof *away, compare);
    qsort(there, (size_t)calls, sizeof *there, compare);
    printf("%lld %lld\n", (long long)away[calls / 2], (long long)there[calls / 2]);
    fflush(stdout);
  }
  return 0;
}
