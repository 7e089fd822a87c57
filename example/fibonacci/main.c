/* Calls fib() again and again and prints a line whenever another implementation answers.

   main [VERSIONS [SECONDS]]: ends with 0 soon after it has seen VERSIONS (6) implementations, with 1 after SECONDS (25)
   or when a value or the count is wrong. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fib.h"

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static unsigned long long expected(unsigned n) {
  unsigned long long current = 0, next = 1;
  while (n-- > 0) {
    next += current;
    current = next - current;
  }
  return current;
}

int main(int argc, char **argv) {
  const int wanted = argc > 1 ? atoi(argv[1]) : 6;
  const double limit = now() + (argc > 2 ? atof(argv[2]) : 25);
  const char *algorithm = "";
  int seen = 0;
  double finish = limit;

  setvbuf(stdout, NULL, _IOLBF, 0);
  printf("process %d\n", (int)getpid());
  for (unsigned long calls = 1; now() < finish; calls++) {
    const unsigned n = 20 + calls % 10;
    const struct fib_answer answer = fib(n);
    if (answer.value != expected(n) || answer.count != calls) {
      printf("wrong: fib(%u) = %llu by %s, call %lu counted as %lu\n", n, answer.value, answer.algorithm, calls,
             answer.count);
      return 1;
    }
    if (strcmp(answer.algorithm, algorithm) != 0) {
      algorithm = answer.algorithm;
      printf("fib(%u) = %llu by %s, call %lu\n", n, answer.value, algorithm, answer.count);
      if (++seen == wanted) finish = now() + 0.5;
    }
    usleep(5000);
  }
  printf("%d implementations in process %d\n", seen, (int)getpid());
  return seen == wanted ? 0 : 1;
}
