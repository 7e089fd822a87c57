/* Calls that pass arguments in every kind of register and on the stack; -DLIBRARY: the functions that they call. */
#include <stdarg.h>
#include <stdio.h>

struct wide {
  double a, b, c;
};
#ifdef LIBRARY
double calls_sum(int a, int b, int c, int d, int e, int f, int g, double h, double i, double j, double k, double l,
                 double m, double n, double o, double p) {
  return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + h + 2 * i + 3 * j + 4 * k + 5 * l + 6 * m + 7 * n + 8 * o +
         9 * p;
}
struct wide calls_wide(struct wide w) { return (struct wide){w.c, w.a, w.b}; }
double calls_variadic(const char *format, ...) {
  va_list list;
  va_start(list, format);
  double sum = 0;
  for (; *format; format++) sum += *format == 'd' ? va_arg(list, int) : va_arg(list, double);
  va_end(list);
  return sum;
}
#else
extern double calls_sum(int, int, int, int, int, int, int, double, double, double, double, double, double, double,
                        double, double);
extern struct wide calls_wide(struct wide);
extern double calls_variadic(const char *format, ...);
int main(void) {
  for (int i = 0; i < 3; i++) {
    const struct wide wide = calls_wide((struct wide){1, 2, i});
    printf("%g %g %g %g %g\n", calls_sum(1, 2, 3, 4, 5, 6, i, 8, 9, 10, 11, 12, 13, 14, 15, 16), wide.a, wide.b, wide.c,
           calls_variadic("dfdf", 1, 2.5, 3, 4.25));
  }
  return 0;
}
#endif
