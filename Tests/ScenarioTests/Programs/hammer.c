/* hammer THREADS: threads that call functions of libhammer.so by pointers that were taken before any update, and
   compare the results with their own computation. Prints the version that is current whenever it changes, and ends
   with its input; a wrong result ends it at once. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hammer.h"

static atomic_int ended;
static unsigned long (*kept[4])(unsigned long);

static unsigned long expected(unsigned long constant, unsigned long value) {
  unsigned long sum = constant;
  for (unsigned long i = 0; i < 16; i++) sum = sum * 6364136223846793005ul + (value ^ i);
  return sum;
}

static void *run(void *number) {
  unsigned long value = (unsigned long)number * 977;
  while (!ended) {
    const unsigned long which = value >> 3 & 3;
    value = value * 2862933555777941757ul + 3037000493ul;
    const unsigned long got = kept[which](value);
    if (got != expected(which + 1, value)) {
      printf("wrong: %lu of function %lu\n", got, which);
      exit(1);
    }
  }
  return NULL;
}

int main(int argc, char **argv) {
  pthread_t threads[64];
  char version[32] = "", byte;
  const int count = argc > 1 ? atoi(argv[1]) : 1;
  setvbuf(stdout, NULL, _IOLBF, 0);
  kept[0] = hammer_a, kept[1] = hammer_b, kept[2] = hammer_c, kept[3] = hammer_d;
  for (long i = 0; i < count; i++) pthread_create(&threads[i], NULL, run, (void *)i);
  printf("version %s\n", hammer_version());
  while (read(0, &byte, 1) > 0) {
    if (strcmp(version, hammer_version()) != 0) printf("version %s\n", strcpy(version, hammer_version()));
  }
  ended = 1;
  for (int i = 0; i < count; i++) pthread_join(threads[i], NULL);
  printf("right\n");
  return 0;
}
