/* moving: threads that count with libmoving until standard input ends. Prints a line when the library's layout has
   changed, and at the end whether anything was lost. */
#include "moving.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static atomic_int ended;
static long calls[MOVING_THREADS];

static void *run(void *argument) {
  const int self = (int)(size_t)argument;
  while (!ended) {
    const long sum = moving_add(self, 1);
    if (moving_part(self) != ++calls[self] || sum < 100 + calls[self]) {
      printf("wrong: thread %d counted %ld, its part is %ld, the sum %ld\n", self, calls[self], moving_part(self), sum);
      exit(1);
    }
  }
  return NULL;
}

static void *report(void *argument) {
  int layout = 0;
  int *const shared = moving_address();
  long extra = 0;
  (void)argument;
  while (!ended) {
    const int now = moving_layout();
    if (now == layout) {
      usleep(2000);
      continue;
    }
    layout = now;
    // The executable's copy, the library's reference to it, and the address that was given out are one variable.
    moving_shared++;
    if (moving_address() != shared || shared != &moving_shared) printf("wrong: another place\n");
    extra = moving_extra(0);
    printf("layout %d, note %s, shared %d, extra %ld, forgotten %ld\n", layout, moving_note(), *moving_address(), extra,
           moving_forget(1));
  }
  return NULL;
}

int main(void) {
  pthread_t workers[MOVING_THREADS], reporter;
  char byte;
  long sum = 100;
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (int i = 0; i < MOVING_THREADS; i++) pthread_create(&workers[i], NULL, run, (void *)(size_t)i);
  pthread_create(&reporter, NULL, report, NULL);
  while (read(0, &byte, 1) > 0) {
  }
  ended = 1;
  pthread_join(reporter, NULL);
  for (int i = 0; i < MOVING_THREADS; i++) {
    pthread_join(workers[i], NULL);
    sum += calls[i];
  }
  const long counted = moving_add(0, 0);
  printf("sum %ld, counted %ld\n", sum, counted);
  return sum == counted ? 0 : 1;
}
