/* many LIBRARY ONE TWO UPDATES: puts ONE and TWO in place of LIBRARY by turns, and waits each time until calls come to
   it, while four threads pass numbers to four others through a queue of the library's. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "many.h"

enum { PAIRS = 4 };
static atomic_int ended;
static atomic_ulong put, taken, puts_done, takes_done;

static void *putter(void *unused) {
  (void)unused;
  for (unsigned long i = 1; !ended; i++) {
    if (many_put(i) != i) {
      puts("wrong count of a thread");
      exit(1);
    }
    put += i;
    puts_done++;
  }
  return NULL;
}

static void *taker(void *unused) {
  (void)unused;
  for (unsigned long value; (value = many_take()) != 0; takes_done++) taken += value;
  return NULL;
}

int main(int argc, char **argv) {
  pthread_t putters[PAIRS], takers[PAIRS];
  char other[4096];
  if (argc < 5) return 2;
  snprintf(other, sizeof other, "%s.other", argv[1]);
  for (int i = 0; i < PAIRS; i++) {
    pthread_create(&putters[i], NULL, putter, NULL);
    pthread_create(&takers[i], NULL, taker, NULL);
  }
  const int updates = atoi(argv[4]);
  for (int i = 0; i < updates; i++) {
    const int wanted = i % 2 == 0 ? 2 : 1;
    if (link(argv[wanted == 2 ? 3 : 2], other) != 0 || rename(other, argv[1]) != 0) return 3;
    while (many_version() != wanted) usleep(100);
  }
  ended = 1;
  for (int i = 0; i < PAIRS; i++) pthread_join(putters[i], NULL);
  for (int i = 0; i < PAIRS; i++) many_put(0);
  for (int i = 0; i < PAIRS; i++) pthread_join(takers[i], NULL);
  printf("updates %d, put %lu, taken %lu, once %lu\n", updates, puts_done, takes_done, many_made());
  return put == taken && puts_done == takes_done && many_made() == 1 && puts_done > 0 ? 0 : 1;
}
