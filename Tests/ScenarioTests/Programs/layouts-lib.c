/* Objects whose layout depends on the version: with GROWN there is a member in the middle. */
#include "layouts.h"

#include <stdlib.h>

struct record {
  unsigned long first;
#ifdef GROWN
  unsigned long inserted;
#endif
  unsigned long middle[900];
  unsigned long last;
};

const char *record_version(void) { return VERSION; }

struct record *record_new(unsigned long value) {
  struct record *record = malloc(sizeof *record);
  if (record == NULL) return NULL;
  record->first = value;
#ifdef GROWN
  record->inserted = 0;
#endif
  for (int i = 0; i < 900; i++) record->middle[i] = value + i;
  record->last = value * 3;
  return record;
}

unsigned long record_sum(const struct record *record) {
  return record->first + record->middle[7] + record->middle[899] + record->last;
}

void record_free(struct record *record) { free(record); }
