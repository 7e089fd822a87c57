/* Starts itself again in every way there is, and handles a stack overflow on an alternate stack. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static sigjmp_buf back;
static char alternate[64 << 10];

static void overflowed(int number, siginfo_t *info, void *context) {
  (void)info, (void)context;
  char here;
  const int is_alternate = &here >= alternate && &here < alternate + sizeof alternate;
  printf("signal %d on the %s stack\n", number, is_alternate ? "alternate" : "usual");
  siglongjmp(back, 1);
}

static int deeper(volatile int n) {
  volatile char frame[4096];
  frame[0] = (char)n;
  return deeper(n + 1) + frame[0];
}

static void end(const char *way, pid_t pid) {
  int status;
  waitpid(pid, &status, 0);
  printf("%s: %d\n", way, WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
}

int main(int argc, char **argv) {
  if (argc > 1) {
    printf("again by %s, argv[0] is %s\n", argv[1], argv[0]);
    fflush(stdout);
    return argc > 2 ? atoi(argv[2]) : 0;
  }
  setvbuf(stdout, NULL, _IOLBF, 0);
  const stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
  struct sigaction action = {.sa_sigaction = overflowed, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  sigaltstack(&stack, NULL);
  sigaction(SIGSEGV, &action, NULL);
  if (sigsetjmp(back, 1) == 0) deeper(0);

  pid_t pid = fork();
  if (pid == 0) {
    execl(argv[0], "forked", "fork", "3", (char *)NULL);
    _exit(126);
  }
  end("fork", pid);
  pid = vfork();
  if (pid == 0) {
    execl(argv[0], "vforked", "vfork", "4", (char *)NULL);
    _exit(126);
  }
  end("vfork", pid);
  char *arguments[] = {"spawned", "posix_spawn", "5", NULL};
  pid = -1;
  posix_spawn(&pid, argv[0], NULL, NULL, arguments, environ);
  end("posix_spawn", pid);
  char *executed[] = {"executed", "exec", "6", NULL};
  execve("/proc/self/exe", executed, environ);
  return 1;
}
