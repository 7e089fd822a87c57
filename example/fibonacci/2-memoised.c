/* Each number is computed once, then found in the library's state. */
#include "state.h"

static unsigned long long memoised(unsigned n) {
  if (n > 1 && state.memo[n] == 0) state.memo[n] = memoised(n - 1) + memoised(n - 2);
  return state.memo[n];
}

struct fib_answer fib(unsigned n) { return answer("memoised", memoised(n)); }
