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
/* Gives back what a thread's context has of the library. */
static void let_go(void *context);

static atomic_ulong done, failed;
static atomic_int ended, rests;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int resting;

/* Without anything of the library, until told to go on. */
static void rest(void) {
  pthread_mutex_lock(&lock);
  if (++resting == THREADS) pthread_cond_broadcast(&changed);
  while (rests && !ended) pthread_cond_wait(&changed, &lock);
  resting--;
  pthread_mutex_unlock(&lock);
}

static void set_rest(int on) {
  pthread_mutex_lock(&lock);
  rests = on;
  if (on)
    while (resting < THREADS) pthread_cond_wait(&changed, &lock);
  else
    pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&lock);
}

static void *run(void *unused) {
  void *context = NULL;
  (void)unused;
  for (unsigned long round = 0; !ended; round++) {
    if (use(&context, round) != 0) failed++;
    done++;
    usleep(500); /* other tests want to run, too */
    if (!rests) continue;
    if (context) let_go(context);
    context = NULL;
    rest();
  }
  return NULL;
}

int main(int argc, char **argv) {
  pthread_t threads[THREADS];
  char byte;
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (prepare(argc, argv) != 0) return 2;
  for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, run, NULL);
  /* Rest, go on, how far is it? */
  while (read(0, &byte, 1) > 0) {
    if (byte == 'r' || byte == 'g') set_rest(byte == 'r');
    if (byte == 'r') puts("rests");
    if (byte == '?') printf("done %lu, failed %lu\n", done, failed);
  }
  ended = 1;
  set_rest(0);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  printf("end: done %lu, failed %lu\n", done, failed);
  return failed != 0;
}
