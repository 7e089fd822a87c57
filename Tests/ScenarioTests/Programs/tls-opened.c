/* Opens libraries with thread-local variables while threads run that were there before, and makes and ends many
   threads afterwards. Arguments: the libraries. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EARLY = 4, WAVES = 50, PER_WAVE = 20 };

typedef int (*next_function)(int);

static pthread_barrier_t opened, done;
static next_function next[8];
static int libraries;

static int use(int start) {
  int sum = 0;
  for (int i = 0; i < libraries; i++)
    for (int round = 0; round < 3; round++) sum += next[i](start);
  return sum;
}

static void *early(void *argument) {
  pthread_barrier_wait(&opened);
  int *result = argument;
  *result = use(*result);
  pthread_barrier_wait(&done);
  return NULL;
}

static void *late(void *argument) {
  int *result = argument;
  *result = use(*result);
  return NULL;
}

static int find(struct dl_phdr_info *info, size_t size, void *data) {
  void **wanted = data;
  if (info->dlpi_tls_modid == (size_t)wanted[0] && strcmp(info->dlpi_name, wanted[2]) == 0) wanted[1] = info->dlpi_tls_data;
  return 0;
}

static long memory(void) {
  long pages = 0, resident = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if (file == NULL || fscanf(file, "%ld %ld", &pages, &resident) != 2) return -1;
  fclose(file);
  return resident;
}

int main(int argc, char **argv) {
  pthread_t threads[EARLY];
  int results[EARLY];
  pthread_barrier_init(&opened, NULL, EARLY + 1);
  pthread_barrier_init(&done, NULL, EARLY + 1);
  for (int i = 0; i < EARLY; i++) results[i] = i, pthread_create(&threads[i], NULL, early, &results[i]);
  for (int i = 1; i < argc; i++) {
    void *handle = dlopen(argv[i], RTLD_NOW);
    if (handle == NULL) {
      puts(dlerror());
      return 1;
    }
    next[libraries++] = (next_function)dlsym(handle, "next");
    size_t module = 0;
    void *data = &module;
    int error = dlinfo(handle, RTLD_DI_TLS_MODID, &module);
    printf("module: %s", error == 0 && module > 1 ? "own" : "none");
    error = dlinfo(handle, RTLD_DI_TLS_DATA, &data);
    printf(", block: %d %s", error, data == NULL ? "none" : "some");
    int *visible = (int *)dlsym(handle, "visible");
    printf(", variable: %d", *visible);
    error = dlinfo(handle, RTLD_DI_TLS_DATA, &data);
    void *wanted[3] = {(void *)module, NULL, argv[i]};
    dl_iterate_phdr(find, wanted);
    printf(", block: %d %s, %s\n", error, data == NULL || data > (void *)visible ? "wrong" : "some",
           wanted[1] == data ? "the same" : "another");
  }
  pthread_barrier_wait(&opened);
  pthread_barrier_wait(&done);
  for (int i = 0; i < EARLY; i++) pthread_join(threads[i], NULL), printf("early %d: %d\n", i, results[i]);
  printf("main: %d\n", use(7));

  long sum = 0, before = 0;
  for (int wave = 0; wave < WAVES; wave++) {
    pthread_t wave_threads[PER_WAVE];
    int wave_results[PER_WAVE];
    for (int i = 0; i < PER_WAVE; i++)
      wave_results[i] = i, pthread_create(&wave_threads[i], NULL, late, &wave_results[i]);
    for (int i = 0; i < PER_WAVE; i++) pthread_join(wave_threads[i], NULL), sum += wave_results[i];
    if (wave == WAVES / 5) before = memory();
  }
  printf("late: %ld\n", sum);
  /* 40 later waves of 20 threads with a block of 100 KiB for each library, none of which may stay. */
  printf("memory: %s\n", memory() - before < 8 * 1024 ? "given back" : "kept");

  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    pthread_t thread;
    int result = 3;
    printf("child: %d\n", use(7));
    pthread_create(&thread, NULL, late, &result);
    pthread_join(thread, NULL);
    printf("child's thread: %d\n", result);
    return 0;
  }
  int status = 0;
  waitpid(child, &status, 0);
  printf("child ended with %d\n", status);
  return 0;
}
