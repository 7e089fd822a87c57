/* startup RUNS NAME=COMMAND… [--memory NAME=COMMAND…]: the same program started in several ways, which alternate so
   that changes of the machine's speed hit all of them; a COMMAND is one string, its words parted by blanks.

   Prints, for each: the median from vfork to the end of the program in microseconds. With --memory, instead: the
   most memory that the process had resident, and how much of it was its own and no file's (Anonymous of smaps_rollup), both in KiB and at its
   exit. Such a process is traced, and the commands run once. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static void fail(char **command, int status) {
  fprintf(stderr, "%s %s: wait status %d\n", command[0], command[1] ? command[1] : "", status);
  exit(1);
}

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
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) fail(command, status);
  return (double)(after.tv_sec - before.tv_sec) * 1e6 + (double)(after.tv_nsec - before.tv_nsec) / 1e3;
}

/* The number behind `key` in a file of /proc/PID; 0 where it is not there. */
static long number(pid_t process, const char *file, const char *key) {
  char path[64], line[256];
  long result = 0;
  snprintf(path, sizeof path, "/proc/%d/%s", process, file);
  FILE *stream = fopen(path, "re");
  while (stream && fgets(line, sizeof line, stream))
    if (strncmp(line, key, strlen(key)) == 0) result += atol(line + strlen(key));
  if (stream) fclose(stream);
  return result;
}

static void memory(char **command, long *most, long *own) {
  const pid_t child = fork();
  int status;
  if (child == 0) {
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    execve(command[0], command, environ);
    _exit(127);
  }
  waitpid(child, &status, 0);
  ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACEEXIT | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL);
  ptrace(PTRACE_CONT, child, 0, 0);
  while (waitpid(child, &status, 0) == child && !WIFEXITED(status) && !WIFSIGNALED(status)) {
    if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXIT << 8)) {
      *most = number(child, "status", "VmHWM:");
      *own = number(child, "smaps_rollup", "Anonymous:");
    }
    const int is_event = WSTOPSIG(status) == SIGTRAP;
    ptrace(PTRACE_CONT, child, 0, is_event ? 0 : WSTOPSIG(status));
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) fail(command, status);
}

static int compare(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static char **split(char *command) {
  char **words = calloc(strlen(command) + 2, sizeof *words);
  size_t count = 0;
  for (char *word = strtok(command, " "); word; word = strtok(0, " ")) words[count++] = word;
  return words;
}

int main(int argc, char **argv) {
  const int wants_memory = argc > 1 && strcmp(argv[1], "--memory") == 0;
  const int runs = wants_memory ? 1 : argc > 1 ? atoi(argv[1]) : 0, ways = argc - 2, warm = 5, report = dup(1);
  if (runs < 1 || ways < 1) return 2;
  double *times = calloc((size_t)(runs * ways), sizeof *times);
  char ***commands = calloc((size_t)ways, sizeof *commands);
  for (int way = 0; way < ways; way++) commands[way] = split(argv[way + 2]);
  fcntl(report, F_SETFD, FD_CLOEXEC);
  dup2(open("/dev/null", O_RDWR), 1);
  dup2(1, 0);
  if (wants_memory) {
    for (int way = 0; way < ways; way++) {
      long most = 0, own = 0;
      memory(commands[way], &most, &own);
      dprintf(report, "%ld %ld ", most, own);
    }
    return 0;
  }
  for (int run = -warm; run < runs; run++)
    for (int way = 0; way < ways; way++) {
      const double time = microseconds(commands[way]);
      if (run >= 0) times[way * runs + run] = time;
    }
  for (int way = 0; way < ways; way++) {
    qsort(times + way * runs, (size_t)runs, sizeof *times, compare);
    dprintf(report, "%.0f %.0f ", times[way * runs + runs / 2], times[way * runs + runs / 20]);
  }
  return 0;
}
