/* Keeps old code of libstale.so in use, on demand: each line of standard input is a command, and its answer one line. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stale.h"

struct kept {
  const char *(*callback)(void);
};

static struct kept *volatile kept;
static volatile int stop;
static pthread_t looping;
static volatile int entered, leave;

static void *loop(void *unused) {
  stale_loop(&stop);
  return unused;
}

static void wait_inside(void) {
  entered = 1;
  while (!leave) usleep(1000);
}

static void *around(void *unused) {
  (void)unused;
  return (void *)stale_around(wait_inside);
}

static const char *patched(void) { return "callback patched"; }

static const char *volatile handled;
static void handler(int number) {
  (void)number;
  handled = kept->callback();
}

static void in_child(int raw) {
  int ends[2];
  char answer[64] = "";
  if (pipe(ends)) return;
  fflush(stdout);
  const pid_t child = raw ? (pid_t)syscall(SYS_fork) : fork();
  if (child == 0) {
    const char *text = kept->callback();
    _exit(write(ends[1], text, strlen(text)) < 0);
  }
  int status;
  waitpid(child, &status, 0);
  close(ends[1]);
  const ssize_t count = read(ends[0], answer, sizeof answer - 1);
  answer[count > 0 ? count : 0] = 0;
  close(ends[0]);
  printf("child %s, status %d\n", answer, status);
}

int main(void) {
  char line[64];
  pthread_t thread;
  void *result;
  setvbuf(stdout, NULL, _IOLBF, 0);
  kept = malloc(sizeof *kept);
  kept->callback = stale_callback;
  signal(SIGUSR1, handler);
  printf("ready %s\n", stale_version());
  while (fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\n")] = 0;
    if (!strcmp(line, "version")) {
      printf("version %s\n", stale_version());
    } else if (!strcmp(line, "call")) {
      printf("%s\n", kept->callback());
    } else if (!strcmp(line, "renew")) {
      kept->callback = stale_callback;
      printf("renewed\n");
    } else if (!strcmp(line, "loop")) {
      pthread_create(&looping, NULL, loop, NULL);
      printf("looping\n");
    } else if (!strcmp(line, "stop")) {
      stop = 1;
      pthread_join(looping, NULL);
      printf("stopped\n");
    } else if (!strcmp(line, "enter")) {
      pthread_create(&thread, NULL, around, NULL);
      while (!entered) usleep(1000);
      printf("entered\n");
    } else if (!strcmp(line, "leave")) {
      leave = 1;
      pthread_join(thread, &result);
      printf("%s\n", (const char *)result);
    } else if (!strcmp(line, "signal")) {
      raise(SIGUSR1);
      printf("handler %s\n", handled);
    } else if (!strcmp(line, "fork")) {
      in_child(0);
    } else if (!strcmp(line, "patch")) {
      /* jmp *0(%rip) to a function of ours */
      unsigned char *code = (unsigned char *)kept->callback, *page = (unsigned char *)((unsigned long)code & ~4095ul);
      const char *(*target)(void) = patched;
      mprotect(page, 8192, PROT_READ | PROT_WRITE | PROT_EXEC);
      memcpy(code, "\xff\x25\0\0\0\0", 6);
      memcpy(code + 6, &target, sizeof target);
      mprotect(page, 8192, PROT_READ | PROT_EXEC);
      printf("patched\n");
    } else if (!strcmp(line, "drop")) {
      printf(setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534) ? "kept\n" : "dropped\n");
    } else if (!strcmp(line, "raw fork")) {
      in_child(1);
    }
  }
  return 0;
}
