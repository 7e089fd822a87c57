/* The interface of libfib.so: one function. Its six versions compute the same number in six ways. */
#ifndef FIB_H
#define FIB_H

struct fib_answer {
  unsigned long long value;
  const char *algorithm;
  unsigned long count; /* calls so far, kept in the library's own state */
};

/* n up to 93: fib(93) is the largest that fits into 64 bits. */
struct fib_answer fib(unsigned n);

#endif
