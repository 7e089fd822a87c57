/* A library with thread-local variables of every kind, to be opened later. */
#include <stdint.h>

__thread int visible = 2000;
static __thread int counter = 100;
static __thread int zero[10];
static __thread int *pointer;
static __thread struct { long value; } aligned __attribute__((aligned(64))) = {5};
static __thread char large[100 << 10];
static __thread const char *text = "text";

/* A call that must not disturb what the compiler keeps in vector registers over the access of a variable. */
static double blend(double a, double b) {
  double kept = a * 3 + b;
  zero[3]++;
  return kept + a - b;
}

int next(int start) {
  if (((uintptr_t)&aligned & 63) != 0) return -1000000;
  if (pointer != 0 && pointer != &visible) return -2000000;
  pointer = &visible;
  if (text[0] != 't') return -3000000;
  large[1000] += 1;
  large[sizeof large - 1] += 1;
  aligned.value++;
  counter += start;
  if (blend(start, 2) != start * 4.0) return -4000000;
  return counter++ + *pointer + zero[3] + zero[7] + (int)aligned.value + large[1000] + large[sizeof large - 1];
}
