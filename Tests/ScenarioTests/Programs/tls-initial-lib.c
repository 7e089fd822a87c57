/* Variables at a fixed distance from the thread pointer (initial-exec), with initial values, one of which is only known
   when the library is relocated. */
#include <stdint.h>

static int target = 5;
static __thread int number = 100;
static __thread int *pointer = &target;
static __thread int zero[20];
static __thread struct { long value; } aligned __attribute__((aligned(64))) = {7};

int next(void) {
  if (pointer != &target || ((uintptr_t)&aligned & 63) != 0) return -1;
  return number++ + *pointer + zero[3] + (int)aligned.value++;
}
