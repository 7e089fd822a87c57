/* oracle SEED: calls functions of liboracle.so at random times through pointers that it keeps or renews at random.
   A line on standard input is answered by when code of each version ran last, in milliseconds before now. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "oracle.h"

static volatile struct oracle_log log_of;
typedef void function(volatile struct oracle_log *);
static function *volatile kept[8];

static long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000l + time.tv_nsec;
}

static unsigned long state;
static unsigned long number(unsigned long limit) {
  state = state * 6364136223846793005ul + 1442695040888963407ul;
  return (state >> 33) % limit;
}

int main(int argc, char **argv) {
  char line[64];
  state = argc > 1 ? strtoul(argv[1], NULL, 10) : 1;
  setvbuf(stdin, NULL, _IONBF, 0);
  for (int i = 0; i < 8; i++) kept[i] = i & 1 ? oracle_a : oracle_b;
  printf("ready\n");
  fflush(stdout);
  for (;;) {
    struct pollfd input = {0, POLLIN, 0};
    if (poll(&input, 1, (int)number(number(4) ? 30 : 900)) == 1) {
      if (!fgets(line, sizeof line, stdin)) return 0;
      const long time = now();
      printf("%ld", time);
      for (int i = 0; i < 64; i++)
        if (log_of.last[i]) printf(" %d:%ld", i, log_of.last[i]);
      printf("\n");
      fflush(stdout);
      continue;
    }
    const unsigned long which = number(8);
    /* Mostly the new code; now and then a pointer that was kept. */
    if (number(3) == 0) kept[which](&log_of);
    if (number(12) == 0) kept[which] = which & 1 ? oracle_a : oracle_b;
    oracle_a(&log_of);
  }
}
