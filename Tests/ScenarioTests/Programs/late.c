/* What a second loader would find different if the first had left something: data, constructors, threads, the heap,
   the program's name, and what the kernel does for a C library (rseq). */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

extern int value(void);

static int data = 5;
static int *pointer = &data;
static int zero[5000];
static _Thread_local int local = 8;

__attribute__((constructor)) static void construct(void) {
  zero[0]++;
  data++;
}

static void *run(void *argument) {
  printf("thread: %d %d %s\n", *(int *)argument, local++, sched_getcpu() >= 0 ? "on a processor" : "nowhere");
  return NULL;
}

int main(int argc, char **argv) {
  pthread_t thread;
  pthread_create(&thread, NULL, run, pointer);
  pthread_join(thread, NULL);
  char name[4096] = "";
  void *memory = malloc(1 << 20);
  if (readlink("/proc/self/exe", name, sizeof name - 1) < 0) return 1;
  /* 0 where the kernel refused. */
  extern const unsigned __rseq_size __attribute__((weak));
  printf("%d %d %d %d %s %d %s %s\n", value(), *pointer, zero[0] + zero[4999], local, argv[argc - 1], memory != NULL, name,
         &__rseq_size && __rseq_size > 0 ? "rseq" : "no rseq");
  return 9;
}
