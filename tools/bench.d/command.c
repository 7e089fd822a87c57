/* Runs a command several times and tells what it took.
     command RUNS BYTES COMMAND…
   Prints median milliseconds of processor time (user and system), megabytes per second of BYTES, peak MiB. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

int main(int count, char **arguments) {
  if (count < 4) return 2;
  int runs = atoi(arguments[1]);
  double bytes = atof(arguments[2]);
  if (runs < 1 || runs > 1000) return 2;
  double *times = calloc(runs, sizeof *times);
  long peak = 0;
  for (int run = 0; run < runs; run++) {
    pid_t child = fork();
    if (child < 0) return perror("fork"), 1;
    if (child == 0) {
      int null = open("/dev/null", O_WRONLY);
      dup2(null, 1);
      execv(arguments[3], arguments + 3);
      perror(arguments[3]);
      _exit(127);
    }
    int status;
    struct rusage usage;
    if (wait4(child, &status, 0, &usage) < 0) return perror("wait4"), 1;
    /* A verdict is 0 or 1. */
    if (!WIFEXITED(status) || WEXITSTATUS(status) > 1) return fprintf(stderr, "%s failed\n", arguments[3]), 1;
    times[run] = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 +
                 (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e3;
    if (usage.ru_maxrss > peak) peak = usage.ru_maxrss;
  }
  qsort(times, runs, sizeof *times, compare);
  double median = times[runs / 2];
  printf("%10.1f %10.1f %10.1f\n", median, bytes / 1e6 / (median / 1e3), peak / 1024.0);
  return 0;
}
