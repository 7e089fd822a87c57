/* Calls bench_version without pause and writes when its result changes: CLOCK_MONOTONIC in nanoseconds, to standard
   output as binary. A second thread ends the program at the end of standard input. */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

extern int bench_version(void);

static void *wait_for_end(void *unused) {
  char byte;
  while (read(0, &byte, 1) > 0) {
  }
  exit(0);
  return unused;
}

int main(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, wait_for_end, NULL);
  for (int last = 0;;) {
    const int version = bench_version();
    if (version == last) continue;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    const int64_t event[2] = {version, now.tv_sec * INT64_C(1000000000) + now.tv_nsec};
    if (write(1, event, sizeof event) != sizeof event) return 1;
    last = version;
  }
}
