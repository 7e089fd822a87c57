/* update RUNS SETTLE TARGET FIRST SECOND -- COMMAND…: starts COMMAND (polling.c), which runs library TARGET, a copy
   of FIRST. Renames a copy of SECOND or FIRST over TARGET by turns and prints how long COMMAND took to run its code,
   less SETTLE milliseconds. The clock is read before rename(2). */
#define _GNU_SOURCE
#define DRIVER "update"
#include "driving.h"

#include <dirent.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the child's threads do: for a change that was lost, or is late. */
static void describe(void) {
  char command[256];
  snprintf(command, sizeof command,
           "cd /proc/%d/task && for task in *; do echo \"$(cat $task/comm): $(cat $task/wchan), system call"
           " $(cut -d' ' -f1 $task/syscall), ran and waited $(cut -d' ' -f1,2 $task/schedstat) ns\"; done >&2; uptime >&2",
           child);
  if (system(command) != 0) fputs("update: the program can't be looked at\n", stderr);
}

/* Ten seconds in which this process really runs: a machine that stands still for a while, as virtual ones do, makes the
   clock jump, and no event late. */
static void await(int from, int64_t event[2]) {
  struct pollfd input = {from, POLLIN, 0};
  for (int turn = 0; poll(&input, 1, 100) != 1; turn++) {
    if (turn == 100) {
      fputs("update: no new code within 10 s\n", stderr);
      describe();
    }
    if (turn == 600) fail("nor within a minute");
  }
  if (read(from, event, 2 * sizeof *event) != 2 * sizeof *event) fail("the program ended");
}

/* Milliseconds that the threads called ld-luci have run: schedstat(5)'s first number, nanoseconds. */
static double helper_time(void) {
  char path[320], text[64];
  double sum = 0;
  snprintf(path, sizeof path, "/proc/%d/task", child);
  DIR *tasks = opendir(path);
  for (struct dirent *task; tasks != NULL && (task = readdir(tasks)) != NULL;) {
    snprintf(path, sizeof path, "/proc/%d/task/%s/comm", child, task->d_name);
    FILE *file = fopen(path, "re");
    if (file == NULL) continue;
    const int is_helper = fgets(text, sizeof text, file) != NULL && strcmp(text, "ld-luci\n") == 0;
    fclose(file);
    if (!is_helper) continue;
    snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", child, task->d_name);
    file = fopen(path, "re");
    if (file == NULL) continue;
    if (fgets(text, sizeof text, file) != NULL) sum += strtod(text, NULL) / 1e6;
    fclose(file);
  }
  if (tasks != NULL) closedir(tasks);
  return sum;
}

static int compare(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

int main(int argc, char **argv) {
  if (argc < 8) return 2;
  const int runs = atoi(argv[1]);
  const double settle = atof(argv[2]);
  const int renames = strcmp(argv[6], "rename") == 0;
  const char *target = argv[3];
  char complete[4096];
  int to[2], from[2];
  int64_t event[2];
  double *times = calloc((size_t)runs, sizeof *times), *costs = calloc((size_t)runs, sizeof *costs);
  if (runs < 1 || times == NULL || costs == NULL || pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0) return 2;
  snprintf(complete, sizeof complete, "%s.new", target);
  child = fork();
  if (child == 0) {
    dup2(to[0], 0);
    dup2(from[1], 1);
    execv(argv[7], argv + 7);
    _exit(127);
  }
  close(to[0]);
  close(from[1]);
  await(from[0], event);
  for (int run = 0; run < runs; run++) {
    usleep(200000); /* what happened before has settled */
    const int file = copy(argv[run % 2 == 0 ? 5 : 4], renames ? complete : target);
    if (renames) {
      close(file);
      usleep(200000);
    }
    const double before = helper_time();
    const int64_t start = now();
    if (renames ? rename(complete, target) != 0 : close(file) != 0) fail("can't replace the file");
    await(from[0], event);
    if (event[0] != (run % 2 == 0 ? 2 : 1)) fail("another version than expected");
    times[run] = (double)(event[1] - start) / 1e6 - settle;
    usleep(20000); /* what follows the commit */
    costs[run] = helper_time() - before;
  }
  close(to[1]);
  waitpid(child, NULL, 0);
  qsort(times, (size_t)runs, sizeof *times, compare);
  qsort(costs, (size_t)runs, sizeof *costs, compare);
  struct stat status;
  stat(target, &status);
  char name[64];
  snprintf(name, sizeof name, "library of %ld KiB, %s(2)", (long)(status.st_size / 1024), argv[6]);
  printf("%-34s %10.2f %10.2f %10.2f %10.2f\n", name, times[runs / 2], times[0], times[runs - 1], costs[runs / 2]);
  return 0;
}
