/* A library that a newer version of another one needs. Its constructor does what only a program thread can. */
#include <stdio.h>
#include <stdlib.h>

static int constructed;

__attribute__((constructor)) static void construct(void) {
  void *memory = malloc(1 << 20);
  constructed++;
  fprintf(stderr, "extra constructed %d\n", memory == NULL ? -1 : constructed);
  free(memory);
}

int extra_value(void) { return constructed; }
