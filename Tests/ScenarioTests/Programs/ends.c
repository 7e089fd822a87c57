/* Ends in the way its argument says. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static sigjmp_buf back;
static void handler(int number) {
  (void)number;
  siglongjmp(back, 1);
}

static void *exits(void *code) {
  exit((int)(long)code);
  return NULL;
}

int main(int argc, char **argv) {
  const char *way = argc > 1 ? argv[1] : "";
  printf("%s\n", way);
  fflush(stdout);
  if (strcmp(way, "return") == 0) return 3;
  if (strcmp(way, "exit") == 0) exit(255);
  if (strcmp(way, "_exit") == 0) _exit(12);
  if (strcmp(way, "abort") == 0) abort();
  if (strcmp(way, "term") == 0) raise(SIGTERM);
  if (strcmp(way, "segv") == 0) *(volatile int *)8 = 1;
  if (strcmp(way, "fpe") == 0) raise(SIGFPE);
  if (strcmp(way, "pthread_exit") == 0) pthread_exit(NULL);
  if (strcmp(way, "thread") == 0) {
    pthread_t thread;
    pthread_create(&thread, NULL, exits, (void *)21L);
    pthread_join(thread, NULL);
  }
  if (strcmp(way, "caught") == 0) {
    signal(SIGSEGV, handler);
    if (sigsetjmp(back, 1) == 0) *(volatile int *)8 = 1;
    puts("went on");
  }
  return 0;
}
