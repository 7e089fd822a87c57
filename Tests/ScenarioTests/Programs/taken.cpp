// For each line of input, what virtual functions of an object of its own and the library's table say.
#include "taken.h"

#include <cstdio>

int main() {
  Shape own;
  // Nobody knows what it points to: calls go through the table.
  Shape *volatile shape = &own;
  const volatile int *table = limits;
  char line[16];
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  while (std::fgets(line, sizeof line, stdin))
    std::printf("%s, area %d, limit %d, copy %d\n", shape->version(), shape->area(), limit(2), table[2]);
  return 0;
}
