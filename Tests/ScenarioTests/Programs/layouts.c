/* layouts THREADS [busy]: threads that make an object with liblayouts, look at it and free it, again and again; the first
   thread keeps one until a line comes, and makes others from then on. Ends with standard input; with 1 as soon as an
   object's sum is wrong. With "busy" each thread has an object at any time, but for the moment between two of them. */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "layouts.h"

static atomic_int ended;
#ifdef TAKES_MALLOC
void *(*const volatile allocator)(size_t) = malloc;
#endif

static void check(const struct record *record, unsigned long value) {
  const unsigned long expected = value + value + 7 + value + 899 + value * 3;
  const unsigned long sum = record_sum(record);
  if (sum == expected) return;
  printf("wrong: %lu instead of %lu, by %s\n", sum, expected, record_version());
  fflush(stdout);
  _exit(1);
}

static void use(unsigned long value, unsigned microseconds) {
  struct record *record = record_new(value);
  check(record, value);
  if (microseconds > 0) usleep(microseconds);
  check(record, value);
  record_free(record);
}

static void *run_busily(void *argument) {
  for (unsigned long i = (size_t)argument; !ended; i++) use(i, 2000 + i % 500);
  return NULL;
}

static void *run(void *argument) {
  for (unsigned long i = (size_t)argument; !ended; i++) {
    use(i, i % 50);
    usleep(1000 + i % 500);
  }
  return NULL;
}

int main(int argc, char **argv) {
  const int threads = argc > 1 ? atoi(argv[1]) : 0;
  pthread_t workers[16];
  char version[32] = "", text[64];
  struct pollfd input = {0, POLLIN, 0};
  setvbuf(stdout, NULL, _IOLBF, 0);
  struct record *kept = record_new(42);
  for (int i = 0; i < threads; i++)
    pthread_create(&workers[i], NULL, argc > 2 ? run_busily : run, (void *)(size_t)(i * 1000));
  for (;;) {
    if (poll(&input, 1, 5) > 0) {
      if (read(0, text, sizeof text) <= 0) break;
      check(kept, 42);
      record_free(kept);
      kept = NULL;
      puts("freed");
    }
    if (kept != NULL) check(kept, 42);
    else use(7, 0);
    if (strcmp(version, record_version()) != 0) {
      strncpy(version, record_version(), sizeof version - 1);
      printf("version %s\n", version);
    }
  }
  ended = 1;
  for (int i = 0; i < threads; i++) pthread_join(workers[i], NULL);
  return 0;
}
