/* A program that uses a library of the system in THREADS threads, again and again, and checks every result. Prototypes
   are written down by hand: only the library itself has to be there. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef THREADS
#define THREADS 2
#endif

/* Once, before the threads; 0: all is well. */
static int prepare(int argc, char **argv);
/* 0: the result is right. Each thread has a context of its own, NULL at first. */
static int use(void **context, unsigned long round);

static atomic_ulong done, failed;
static atomic_int ended;

static void *run(void *unused) {
  void *context = NULL;
  (void)unused;
  for (unsigned long round = 0; !ended; round++) {
    if (use(&context, round) != 0) failed++;
    done++;
    usleep(500); /* other tests want to run, too */
  }
  return NULL;
}

int main(int argc, char **argv) {
  pthread_t threads[THREADS];
  char byte;
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (prepare(argc, argv) != 0) return 2;
  for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, run, NULL);
  /* Each byte of the standard input asks how far it is. */
  while (read(0, &byte, 1) > 0) printf("done %lu, failed %lu\n", done, failed);
  ended = 1;
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  printf("end: done %lu, failed %lu\n", done, failed);
  return failed != 0;
}
