/* Powers of the matrix (1 1; 1 0) by squaring: logarithmic time. A symmetric matrix (a b; b c) is kept as a, b, c. */
#include "state.h"

struct matrix {
  unsigned long long a, b, c;
};

static struct matrix product(struct matrix x, struct matrix y) {
  return (struct matrix){x.a * y.a + x.b * y.b, x.a * y.b + x.b * y.c, x.b * y.b + x.c * y.c};
}

struct fib_answer fib(unsigned n) {
  struct matrix power = {1, 0, 1}, square = {1, 1, 0};
  for (; n > 0; n >>= 1) {
    if (n & 1) power = product(power, square);
    square = product(square, square);
  }
  return answer("matrix", power.b);
}
