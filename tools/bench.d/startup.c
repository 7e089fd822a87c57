/* startup LOADER RUNS PROGRAM ARGUMENTS…: time from vfork to the end of PROGRAM, plainly and through LOADER. The two
   alternate, so that changes of the machine's speed hit both; the medians are printed. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static double microseconds(char **command) {
  struct timespec before, after;
  int status;
  clock_gettime(CLOCK_MONOTONIC, &before);
  const pid_t child = vfork();
  if (child == 0) {
    execve(command[0], command, environ);
    _exit(127);
  }
  waitpid(child, &status, 0);
  clock_gettime(CLOCK_MONOTONIC, &after);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    fprintf(stderr, "%s %s: wait status %d\n", command[0], command[1] ? command[1] : "", status);
    exit(1);
  }
  return (double)(after.tv_sec - before.tv_sec) * 1e6 + (double)(after.tv_nsec - before.tv_nsec) / 1e3;
}

static int compare(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  const int runs = atoi(argv[2]), warm = 5, report = dup(1);
  double *plain = calloc((size_t)runs, sizeof *plain), *loaded = calloc((size_t)runs, sizeof *loaded);
  char **direct = argv + 3, **through = calloc((size_t)argc, sizeof *through);
  if (runs < 1 || !plain || !loaded || !through) return 2;
  through[0] = argv[1];
  memcpy(through + 1, direct, sizeof *direct * (size_t)(argc - 3));
  fcntl(report, F_SETFD, FD_CLOEXEC);
  dup2(open("/dev/null", O_RDWR), 1);
  dup2(1, 0);
  for (int run = -warm; run < runs; run++) {
    const double first = microseconds(direct), second = microseconds(through);
    if (run >= 0) plain[run] = first, loaded[run] = second;
  }
  qsort(plain, (size_t)runs, sizeof *plain, compare);
  qsort(loaded, (size_t)runs, sizeof *loaded, compare);
  const char *name = strrchr(direct[0], '/');
  dprintf(report, "%-34s %10.0f %10.0f %8.2f\n", name ? name + 1 : direct[0], plain[runs / 2], loaded[runs / 2],
          loaded[runs / 2] / plain[runs / 2]);
  return 0;
}
