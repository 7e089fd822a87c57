/* Memory that the C library takes and the program gives back, and the reverse; with an argument, a write behind a
   block. The addresses of the functions are taken, too: in an executable at a fixed address that makes entries of its
   PLT stand for them. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *(*volatile take)(size_t);
static void (*volatile give)(void *);
static _Thread_local int local[10];

static void *run(void *argument) {
  local[2]++;
  free(take(100));
  return strdup(argument);
}

int main(int argc, char **argv) {
  pthread_t thread;
  void *copy = NULL;
  char *line = NULL, *text = NULL;
  size_t size = 0;
  take = malloc;
  give = free;
  pthread_create(&thread, NULL, run, "copy");
  pthread_join(thread, &copy);
  printf("%s\n", (char *)copy);
  give(copy);
  if (asprintf(&text, "%d %s", 7, "formatted") > 0) puts(text);
  free(text);
  FILE *file = fmemopen("a line\nanother\n", 15, "r");
  while (getline(&line, &size, file) > 0) fputs(line, stdout);
  give(line);
  fclose(file);
  void *library = dlopen("libm.so.6", RTLD_NOW);
  puts(library != NULL && dlsym(library, "cos") != NULL ? "opened" : dlerror());
  char *block = take(10);
  volatile int behind = argc > 1 ? 10 : 3;
  block[behind] = 1;
  free(block);
  return 3;
}
