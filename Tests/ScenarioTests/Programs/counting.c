/* counting THREADS MICROSECONDS: threads that count with libcounter until standard input ends. Prints which version
   answers when that changes for the first thread, the count about ten times a second, and at the end whether the
   library's counts are those of the threads. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "counter.h"

static atomic_int ended;
static int threads, pause_us;
static unsigned long calls[COUNTER_THREADS];

static void *run(void *argument) {
  const unsigned self = (unsigned)(size_t)argument;
  char version[32] = "";
  for (unsigned long i = 0; !ended; i++) {
    const struct counter_answer answer = counter_add(self);
    if (answer.own != ++calls[self] || answer.count < answer.own) {
      printf("wrong: thread %u, call %lu, counted as %lu, in all %lu, by %s\n", self, calls[self], answer.own,
             answer.count, answer.version);
      exit(1);
    }
    if (self == 0 && strcmp(version, answer.version) != 0) {
      strncpy(version, answer.version, sizeof version - 1);
      printf("version %s at %lu\n", version, answer.count);
    }
    if (pause_us > 0) usleep(pause_us);
  }
  return NULL;
}

static void *report(void *unused) {
  (void)unused;
  while (!ended) {
    printf("count %lu\n", counter_value());
    usleep(100000);
  }
  return NULL;
}

int main(int argc, char **argv) {
  pthread_t workers[COUNTER_THREADS], reporter;
  char byte;
  threads = argc > 1 ? atoi(argv[1]) : 1;
  pause_us = argc > 2 ? atoi(argv[2]) : 1000;
  setvbuf(stdout, NULL, _IOLBF, 0);
#ifdef RECORDS
  extern void *counter_record(void);
  free(counter_record());
#endif
  for (int i = 0; i < threads; i++) pthread_create(&workers[i], NULL, run, (void *)(size_t)i);
  pthread_create(&reporter, NULL, report, NULL);
  while (read(0, &byte, 1) > 0) {
  }
  ended = 1;
  unsigned long sum = 0;
  for (int i = 0; i < threads; i++) {
    pthread_join(workers[i], NULL);
    sum += calls[i];
  }
  pthread_join(reporter, NULL);
  printf("sum %lu, count %lu\n", sum, counter_value());
  return sum == counter_value() ? 0 : 1;
}
