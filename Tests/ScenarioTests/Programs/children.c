/* Makes children in all ways, one after the other, while libcounter is replaced. Prints how many there were. */
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "counter.h"

extern char **environ;
extern void *counter_record(void);
static atomic_int ended;

/* Without the library's mutex, which a child would inherit taken. */
static void *call(void *unused) {
  while (!ended) free(counter_record());
  return unused;
}

static void expect(pid_t pid, int wanted, const char *how) {
  int status = 0;
  if (pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == wanted) return;
  printf("%s: status %x\n", how, status);
  exit(1);
}

static void *run(void *unused) {
  char *command[] = {"sh", "-c", "exit 5", NULL};
  for (unsigned long round = 1; !ended; round++) {
    const unsigned long before = counter_add(0).own;
    pid_t pid = fork();
    if (pid == 0) {
      /* Its count goes on from the parent's, in memory of its own. */
      for (int i = 1; i < 100; i++)
        if (counter_add(0).own != before + (unsigned long)i) _exit(1);
      _exit(4);
    }
    expect(pid, 4, "fork");
    if (counter_add(0).own != before + 1) {
      puts("a child's count is the parent's");
      exit(1);
    }
    pid = vfork();
    if (pid == 0) {
      execve("/bin/sh", command, environ);
      _exit(127);
    }
    expect(pid, 5, "vfork");
    if (posix_spawn(&pid, "/bin/sh", NULL, NULL, command, environ) != 0) exit(1);
    expect(pid, 5, "posix_spawn");
    if (system("exit 6") != 6 << 8) exit(1);
    printf("round %lu %s\n", round, counter_add(0).version);
  }
  return unused;
}

int main(int argc, char **argv) {
  pthread_t threads[2];
  char byte;
  setvbuf(stdout, NULL, _IOLBF, 0);
  pthread_create(&threads[0], NULL, run, NULL);
  pthread_create(&threads[1], NULL, call, NULL);
  while (read(0, &byte, 1) > 0) {
  }
  ended = 1;
  pthread_join(threads[0], NULL);
  pthread_join(threads[1], NULL);
  (void)argc;
  /* After exec it is a program like any other. */
  execl("/bin/sh", "sh", "-c", "echo executed", argv[0], (char *)NULL);
  return 1;
}
