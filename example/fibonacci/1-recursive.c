/* The definition, taken literally: exponential time. */
#include "state.h"

static unsigned long long recursive(unsigned n) { return n < 2 ? n : recursive(n - 1) + recursive(n - 2); }

struct fib_answer fib(unsigned n) { return answer("recursive", recursive(n)); }
