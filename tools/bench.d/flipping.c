/* flipping BURSTS TARGET FIRST SECOND COMMAND…: starts COMMAND (polling.c), which runs library TARGET, a copy of
   FIRST, and puts FIRST and SECOND there in bursts of one to four, by rename(2) or in place, at any distance up to 60
   ms: during the settle time, during an update, at once. The last one of each burst must be what runs then. */
#define _GNU_SOURCE
#define DRIVER "flipping"
#include "driving.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

/* The next version that runs; 0: none for so many turns of 100 ms in which this process runs. */
static int next(int from, int turns, int64_t *time) {
  struct pollfd input = {from, POLLIN, 0};
  int64_t event[2];
  while (poll(&input, 1, 100) != 1)
    if (--turns <= 0) return 0;
  if (read(from, event, sizeof event) != sizeof event) fail("the program ended");
  *time = event[1];
  return (int)event[0];
}

int main(int argc, char **argv) {
  if (argc < 6) return 2;
  const int bursts = atoi(argv[1]);
  const char *target = argv[2];
  char complete[4096];
  int to[2], from[2], current;
  int64_t time, worst = 0;
  long writes = 0;
  unsigned seed = (unsigned)getpid();
  if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0) return 2;
  snprintf(complete, sizeof complete, "%s.new", target);
  child = fork();
  if (child == 0) {
    dup2(to[0], 0);
    dup2(from[1], 1);
    execv(argv[5], argv + 5);
    _exit(127);
  }
  close(to[0]);
  close(from[1]);
  if ((current = next(from[0], 100, &time)) != 1) fail("the program doesn't start");
  for (int burst = 0; burst < bursts; burst++) {
    const int last = 3 - current;
    int64_t start = 0;
    for (int left = rand_r(&seed) % 4; left >= 0; left--) {
      const int version = left == 0 ? last : 1 + rand_r(&seed) % 2, renames = rand_r(&seed) % 2;
      close(copy(argv[version + 2], renames ? complete : target));
      if (renames && rename(complete, target) != 0) fail("can't rename");
      start = now();
      writes++;
      if (left != 0) usleep((useconds_t)(rand_r(&seed) % 3 ? rand_r(&seed) % 60000 : rand_r(&seed) % 500));
    }
    /* Others of the burst may have run before it, and nothing comes after it. */
    for (;;) {
      /* Two minutes: with 30 threads that want to run, Luci's may have to wait for its turn for longer than 10 s. */
      const int version = next(from[0], current == last ? 2 : 1200, &time);
      if (version == 0 && current == last) break;
      if (version == 0) {
        fprintf(stderr, "flipping: burst %d: version %d runs, not %d, seed %d\n", burst, current, last, getpid());
        fail("a change was lost");
      }
      if ((current = version) == last && time - start > worst) worst = time - start;
    }
  }
  printf("%d bursts of %ld changes in all: none was lost, the last one ran after %.1f ms at most\n", bursts, writes,
         (double)worst / 1e6);
  close(to[1]);
  waitpid(child, NULL, 0);
  return 0;
}
