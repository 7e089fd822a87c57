/* A library with hooks. VERSION is a text; with TABLE its state has another layout, and a constructor sets it up. */
#include <luci.h>
#include <stdio.h>
#include <stdlib.h>

#include "hooked.h"

#ifdef TABLE
static struct {
  const char *maker;
  unsigned long calls[3];
} table = {"table", {0}};
static unsigned long *count;
int hooked_variable = 2;
__attribute__((constructor)) static void set_up(void) {
  count = &table.calls[1];
  *count = 1000000;
  fprintf(stderr, "%s constructed\n", VERSION);
}
#else
static unsigned long counter, *count = &counter;
int hooked_variable = 1;
#endif
#ifdef MORE_CODE
static unsigned long more[MORE_CODE];
#endif

struct hooked_answer hooked_call(void) {
#ifdef MORE_CODE
  more[*count % MORE_CODE]++;
#endif
  return (struct hooked_answer){VERSION, ++*count};
}

#ifndef RECORD
#define RECORD 4160
#endif
void *hooked_record(void) { return malloc(RECORD); }

#ifndef WITHOUT_HOOKS
void *__luci_serialize(int affected) {
  unsigned long *copy = malloc(sizeof *copy);
  *copy = *count;
  fprintf(stderr, "%s serialize %d\n", VERSION, affected);
  return copy;
}

void __luci_deserialize(void *state) {
  *count = *(unsigned long *)state;
  free(state);
  fprintf(stderr, "%s deserialize %lu\n", VERSION, *count);
}
#endif
