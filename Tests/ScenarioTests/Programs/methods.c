/* methods: keeps the table of libmethods that it got at first.
   look: prints what it has. own: puts a function of its own in. toggle: a thread puts that in and the first one back,
   all the time, and sees to it that nobody else changes the table meanwhile. */
#include "methods.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static long own(long x) { return x * 1000; }
static struct methods *table;
static atomic_long lost, rounds;
static atomic_int ended;

static void *toggle(void *argument) {
  long (*volatile *slot)(long) = &table->second;
  long (*const original)(long) = *slot;
  while (!ended) {
    *slot = own;
    for (int i = 0; i < 50; i++) {
      __asm__ volatile("pause");
      if (*slot != own) lost++;
    }
    *slot = original;
    for (int i = 0; i < 50; i++) __asm__ volatile("pause");
    rounds++;
  }
  return argument;
}

int main(void) {
  char line[32];
  pthread_t thread;
  int has_thread = 0;
  setvbuf(stdout, NULL, _IOLBF, 0);
  table = methods_get();
  printf("ready\n");
  while (fgets(line, sizeof line, stdin)) {
    if (!strcmp(line, "own\n")) table->second = own;
    if (!strcmp(line, "toggle\n")) has_thread = !pthread_create(&thread, NULL, toggle, NULL);
    printf("%s, first %ld, second %ld, %s table\n", table->name, table->first(1), methods_second(table, 1),
           table == methods_get() ? "the same" : "another");
  }
  ended = 1;
  if (has_thread) {
    pthread_join(thread, NULL);
    printf("lost %ld, %s\n", lost, rounds > 0 ? "toggled" : "idle");
  }
  return lost != 0;
}
