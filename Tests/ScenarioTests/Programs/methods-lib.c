/* VERSION 1 has both functions; 2 has no second one, another name, and another way to call it. */
#include "methods.h"

static long first(long x) { return x + VERSION; }

#if VERSION == 1
static long second(long x) { return x * 10; }
static struct methods table = {"one", first, second};
#else
static struct methods table = {"two", first, 0};
#endif

struct methods *methods_get(void) { return &table; }

long methods_second(const struct methods *given, long x) {
#if VERSION == 1
  if (given->second) return given->second(x);
  return -1;
#else
  return given->second ? given->second(x + 1) - 10 : -1;
#endif
}
