/* The state of libfib.so. A running program keeps it over an update, so every version declares the same variable
   with the same initial content, whether it uses all of it or not. */
#ifndef FIB_STATE_H
#define FIB_STATE_H

#include "fib.h"

#define FIB_LARGEST 93

static struct {
  unsigned long count;
  unsigned long long memo[FIB_LARGEST + 1]; /* 0 where not known yet, except for fib(0) */
} state __attribute__((used)) = {0, {0, 1}};

static inline struct fib_answer answer(const char *algorithm, unsigned long long value) {
  return (struct fib_answer){value, algorithm, ++state.count};
}

#endif
