/* Does what standard input says, and prints the outcome: call, make, free, update, open PATH, close,
   fork. With UPDATE_POINT
   the program itself uses __luci_update. With THREADS as argument so many threads call meanwhile. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <luci.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hooked.h"

static atomic_int ended;
static int (*volatile opened_update)(void);

#ifdef OWN_HOOKS
void *__luci_serialize(int affected) {
  fprintf(stderr, "program serialize %d\n", affected);
  return &ended;
}
void __luci_deserialize(void *state) { fprintf(stderr, "program deserialize %s\n", state == &ended ? "same" : "other"); }
#endif

static int update(void) {
  if (opened_update) return opened_update();
#ifdef UPDATE_POINT
  return __luci_update ? __luci_update() : -1;
#else
  return -2;
#endif
}

static void *run(void *unused) {
  while (!ended) hooked_call();
  return unused;
}

static void obey(const char *line) {
  static void *handle, *record;
  if (strcmp(line, "call") == 0) {
    const struct hooked_answer answer = hooked_call();
    printf("%s %lu, variable %d\n", answer.version, answer.count, hooked_variable);
  } else if (strcmp(line, "make") == 0) {
    record = hooked_record();
    puts("made");
  } else if (strcmp(line, "free") == 0) {
    free(record);
    puts("freed");
  } else if (strcmp(line, "update") == 0) {
    printf("update %d\n", update());
  } else if (strncmp(line, "open ", 5) == 0) {
    handle = dlopen(line + 5, RTLD_NOW);
    opened_update = handle ? (int (*)(void))dlsym(handle, "opened_update") : NULL;
    printf("open %s\n", opened_update ? "done" : dlerror());
  } else if (strcmp(line, "close") == 0) {
    opened_update = NULL;
    printf("close %d\n", dlclose(handle));
  } else if (strcmp(line, "fork") == 0) {
    const pid_t child = fork();
    if (child == 0) {
      obey("update");
      obey("call");
      fflush(stdout);
      _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    printf("fork %d\n", status);
  }
}

int main(int argc, char **argv) {
  char line[4096];
  pthread_t threads[16];
  const int count = argc > 1 ? atoi(argv[1]) : 0;
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (int i = 0; i < count; i++) pthread_create(&threads[i], NULL, run, NULL);
  puts("ready");
  while (fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\n")] = 0;
    obey(line);
  }
  ended = 1;
  for (int i = 0; i < count; i++) pthread_join(threads[i], NULL);
  puts("end");
}
