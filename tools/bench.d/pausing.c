/* pausing: eight threads call bench_version without pause, and tell what a pause that Luci causes would be made of.

   With more threads than processors most of the time between two calls is the scheduler's, and on a virtual machine the
   clock of a thread's processor time goes on while the machine itself is out of turn. Neither can be told from a pause by
   a clock alone. So what the kernel counts of the thread is read after each call, too: context switches of its own will
   (it waited: for a lock, at a gate) and page faults (code or data was not there). Whatever Luci makes a thread wait for
   is one of the two; else a call takes more instructions, and that is seen without updates as well.

   Each event is that of polling.c. At the end of standard input three numbers are written to standard error for each of
   these kinds of calls: those that waited, by real time; that met a page fault, and all others, by processor time. How
   many there were, how many of more than 100 us, and the longest, nanoseconds. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

extern int bench_version(void);
enum { THREADS = 8, WAITED = 0, FAULTED, PLAIN, KINDS, WARM_UP = 1000 };
static atomic_int ended;
static struct kind {
  int64_t count, slow, longest;
} kinds[THREADS][KINDS];

struct sample {
  int64_t processor, real;
  long waits, faults;
};

static int64_t now(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

static struct sample take(void) {
  struct rusage usage;
  struct sample sample;
  getrusage(RUSAGE_THREAD, &usage);
  sample.waits = usage.ru_nvcsw;
  sample.faults = usage.ru_minflt + usage.ru_majflt;
  sample.real = now(CLOCK_MONOTONIC);
  sample.processor = now(CLOCK_THREAD_CPUTIME_ID);
  return sample;
}

static void note(struct kind *kind, int64_t time) {
  kind->count++;
  kind->slow += time > 100000;
  if (time > kind->longest) kind->longest = time;
}

static void *run(void *argument) {
  const size_t self = (size_t)argument;
  struct kind *own = kinds[self];
  int last = 0;
  for (int i = 0; i < WARM_UP; i++) bench_version();
  struct sample before = take();
  for (int64_t calls = 0; !ended; calls++) {
    const int version = bench_version();
    struct sample after = take();
    const int64_t processor = after.processor - before.processor;
    if (calls >= WARM_UP) {
      if (after.waits != before.waits)
        note(&own[WAITED], after.real - before.real);
      else
        note(&own[after.faults != before.faults ? FAULTED : PLAIN], processor);
    }
    if (self == 0 && version != last) {
      const int64_t event[2] = {version, after.real};
      if (write(1, event, sizeof event) != sizeof event) exit(1);
      last = version;
      after = take();
    }
    before = after;
  }
  return NULL;
}

int main(void) {
  pthread_t threads[THREADS];
  struct kind all[KINDS] = {{0, 0, 0}};
  char byte;
  for (size_t i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, run, (void *)i);
  while (read(0, &byte, 1) > 0) {
  }
  ended = 1;
  for (int i = 0; i < THREADS; i++) {
    pthread_join(threads[i], NULL);
    for (int kind = 0; kind < KINDS; kind++) {
      all[kind].count += kinds[i][kind].count;
      all[kind].slow += kinds[i][kind].slow;
      if (kinds[i][kind].longest > all[kind].longest) all[kind].longest = kinds[i][kind].longest;
    }
  }
  for (int kind = 0; kind < KINDS; kind++)
    fprintf(stderr, "%lld %lld %lld ", (long long)all[kind].count, (long long)all[kind].slow,
            (long long)all[kind].longest);
  fputc('\n', stderr);
  return 0;
}
