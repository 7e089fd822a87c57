// A kept pointer to old code is called, and what that calls throws after a line of input.
#include <cstdio>
#include <stdexcept>

#include "throwing-stale.h"

static char line[64];

static void inner() {
  std::puts("inside");
  std::fflush(stdout);
  if (!std::fgets(line, sizeof line, stdin)) return;
  throw std::runtime_error("thrown");
}

int main() {
  int (*volatile kept)(void (*)(), int &) = pass;
  int cleaned = 0;
  std::setvbuf(stdin, nullptr, _IONBF, 0);
  for (int round = 0; round < 3; round++) {
    try {
      kept(inner, cleaned);
      return 0;
    } catch (const std::exception &error) {
      std::printf("%s, cleaned %d\n", error.what(), cleaned);
      std::fflush(stdout);
    }
  }
  return cleaned == 3 ? 0 : 1;
}
