/* main VERSIONS: four threads count until they have seen so many versions, and then compare their own numbers with the
   library's. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "counter.h"

enum { THREADS = 4 };
static atomic_int ended;
static unsigned long calls[THREADS];

static void *run(void *argument) {
  const size_t self = (size_t)argument;
  while (!ended) {
    const struct counts counts = count();
    if (counts.own != ++calls[self]) {
      printf("wrong: call %lu of thread %zu counted as %lu\n", calls[self], self, counts.own);
      exit(1);
    }
  }
  return NULL;
}

int main(int argc, char **argv) {
  pthread_t threads[THREADS];
  const int wanted = argc > 1 ? atoi(argv[1]) : 3;
  const char *how = "";
  unsigned long mine = 0, sum = 0;
  setvbuf(stdout, NULL, _IOLBF, 0);
  alarm(60); /* whatever happens, it ends */
  for (size_t i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, run, (void *)i);
  for (int seen = 0; seen < wanted;) {
    const struct counts counts = count();
    mine++;
    if (strcmp(counts.how, how) == 0) continue;
    how = counts.how;
    seen++;
    printf("version %d: %s, %lu calls so far\n", seen, how, counts.all);
  }
  ended = 1;
  for (int i = 0; i < THREADS; i++) {
    pthread_join(threads[i], NULL);
    sum += calls[i];
  }
  const unsigned long all = count().all;
  printf("the threads counted %lu, the library %lu\n", sum + mine + 1, all);
  return all == sum + mine + 1 ? 0 : 1;
}
