/* steps COMMAND…: counts the instructions of each section of steady.c by single steps, and prints those of its second
   round. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECTIONS = 6 };

static int stop(pid_t child) {
  int status;
  if (waitpid(child, &status, 0) != child) exit(1);
  return WIFSTOPPED(status) ? WSTOPSIG(status) : -1;
}

/* Goes on until the next mark; returns the number of instructions when it counts. */
static long until_mark(pid_t child, int counts) {
  long steps = 0;
  for (int signal = 0;;) {
    ptrace(counts ? PTRACE_SINGLESTEP : PTRACE_CONT, child, NULL, (void *)(long)signal);
    signal = stop(child);
    if (signal == SIGURG) return steps;
    if (signal < 0) exit(1);
    if (signal == SIGTRAP) {
      steps++;
      signal = 0;
    }
  }
}

int main(int argc, char **argv) {
  const pid_t child = fork();
  if (argc < 2) return 2;
  if (child == 0) {
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    execv(argv[1], argv + 1);
    _exit(127);
  }
  if (stop(child) != SIGTRAP) return 1;
  for (int section = 0; section <= SECTIONS; section++) until_mark(child, 0);
  until_mark(child, 0);
  for (int section = 0; section < SECTIONS; section++) printf("%ld\n", until_mark(child, 1));
  kill(child, SIGKILL);
  return 0;
}
