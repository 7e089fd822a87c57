/* Prints the versions of three libraries, and of a preloaded one, when one of them changes. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <pthread.h>
#include <stdlib.h>

extern const char *a_version(void), *b_version(void), *b_through_a(void), *d_version(void);
extern const char *pre_version(void) __attribute__((weak));

static void *wait_for_end(void *unused) {
  char byte;
  while (read(0, &byte, 1) > 0) {
  }
  exit(0);
  return unused;
}

int main(void) {
  pthread_t thread;
  char last[256] = "", line[256];
  setvbuf(stdout, NULL, _IOLBF, 0);
  pthread_create(&thread, NULL, wait_for_end, NULL);
  for (;; usleep(1000)) {
    snprintf(line, sizeof line, "a %s, b %s, b through a %s, d %s, pre %s", a_version(), b_version(), b_through_a(),
             d_version(), pre_version ? pre_version() : "none");
    if (strcmp(last, line) == 0) continue;
    puts(line);
    strcpy(last, line);
  }
}
