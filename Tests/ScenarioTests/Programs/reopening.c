/* Opens a library, calls it and closes it, again and again in several threads, until the input ends. Tells when another
   version answers. To each byte of the input it says "again" when it has done so a hundred times. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char last[40];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static volatile int ended;
static volatile unsigned long opened; /* under the mutex */

static void *loop(void *path) {
  while (!ended) {
    void *handle = dlopen(path, RTLD_NOW);
    /* The moment between two files of a replacement does not exist, so every open succeeds. */
    if (handle == NULL) fprintf(stderr, "%s\n", dlerror()), exit(1);
    int (*next)(void) = (int (*)(void))dlsym(handle, "reopened_next");
    const char *(*name)(void) = (const char *(*)(void))dlsym(handle, "reopened_version");
    if (next == NULL || name == NULL || next() < 1) fprintf(stderr, "wrong\n"), exit(1);
    pthread_mutex_lock(&mutex);
    opened++;
    if (strcmp(last, name()) != 0) snprintf(last, sizeof last, "%s", name()), printf("version %s\n", last), fflush(stdout);
    pthread_mutex_unlock(&mutex);
    if (dlclose(handle) != 0) fprintf(stderr, "%s\n", dlerror()), exit(1);
  }
  return NULL;
}

int main(int argc, char **argv) {
  pthread_t threads[3];
  char byte;
  (void)argc;
  for (int i = 0; i < 3; i++) pthread_create(&threads[i], NULL, loop, argv[1]);
  while (read(0, &byte, 1) > 0) {
    for (const unsigned long before = opened; opened < before + 100;) usleep(100);
    puts("again");
    fflush(stdout);
  }
  ended = 1;
  for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
  puts("end");
  return 0;
}
