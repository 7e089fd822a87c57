/* Two numbers that move up: linear time, no memory. */
#include "state.h"

struct fib_answer fib(unsigned n) {
  unsigned long long current = 0, next = 1;
  while (n-- > 0) {
    unsigned long long sum = current + next;
    current = next;
    next = sum;
  }
  return answer("iterative", current);
}
