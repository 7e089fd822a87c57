/* A plugin with a constructor, a destructor and state. */
#include <cstdio>

struct Life {
  Life() { std::puts("constructed"); }
  ~Life() { std::puts("destructed"); }
  int count = 0;
};
static Life life;

extern "C" int closing_next() { return ++life.count; }
extern "C" const char *closing_version() { return VERSION; }
