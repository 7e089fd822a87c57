/* Opens libraries whose variables must be in threads that run already, at a place that is the same in all. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { EARLY = 5 };

typedef int (*next_function)(void);

static pthread_barrier_t turn;
static next_function next[4];
static int libraries, over;

static void *run(void *argument) {
  int *sum = argument;
  for (;;) {
    pthread_barrier_wait(&turn);
    if (over) return NULL;
    for (int i = 0; i < libraries; i++) *sum = *sum * 3 + next[i]() + next[i]();
    pthread_barrier_wait(&turn);
  }
}

static void *late(void *argument) {
  int *sum = argument;
  for (int i = 0; i < libraries; i++) *sum += next[i]();
  return NULL;
}

static int count(struct dl_phdr_info *info, size_t size, void *data) {
  *(int *)data += strstr(info->dlpi_name, "/proc/") != NULL;
  return 0;
}

int main(int argc, char **argv) {
  pthread_t threads[EARLY], another;
  int sums[EARLY];
  pthread_barrier_init(&turn, NULL, EARLY + 1);
  for (int i = 0; i < EARLY; i++) sums[i] = i, pthread_create(&threads[i], NULL, run, &sums[i]);
  /* Places that are free again are used again, as far as the C library does so: more rounds than there is room for. */
  int rounds = argc > 2 ? 10 : 300;
  for (int round = 0; round < rounds; round++) {
    void *handles[4];
    libraries = 0;
    for (int i = 1; i < argc; i++) {
      handles[libraries] = dlopen(argv[i], round % 2 ? RTLD_NOW : RTLD_LAZY);
      if (handles[libraries] == NULL) {
        printf("round %d: %s\n", round, dlerror());
        return 1;
      }
      next[libraries] = (next_function)dlsym(handles[libraries], "next");
      libraries++;
    }
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn);
    int sum = 0;
    pthread_create(&another, NULL, late, &sum);
    pthread_join(another, NULL);
    if (round % (rounds / 5) == 0) {
      int others = 0;
      dl_iterate_phdr(count, &others);
      for (int i = 0; i < EARLY; i++) printf("%d ", sums[i]);
      printf("late %d, main %d, others %d\n", sum, next[0](), others);
    }
    while (libraries) dlclose(handles[--libraries]);
  }
  over = 1;
  pthread_barrier_wait(&turn);
  for (int i = 0; i < EARLY; i++) pthread_join(threads[i], NULL);
  return 0;
}
