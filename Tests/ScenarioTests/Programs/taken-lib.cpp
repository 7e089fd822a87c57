#include "taken.h"

#ifdef MORE
int more(int x) { return x * 77; }
#endif

#ifndef THIRD
#define THIRD 30
#endif

const char *Shape::version() const { return VERSION; }
int Shape::area() const { return side * side; }

#ifndef WITHOUT_LIMITS
const int limits[LIMITS] = {10, 20, THIRD, 40};
extern "C" int limit(int index) { return limits[index]; }
#else
extern "C" int limit(int index) { return index; }
#endif
