#include <stdexcept>

void library_throws(int what) {
  if (what == 0) throw std::invalid_argument("invalid, thrown by the library");
  throw std::out_of_range("range, thrown by the library");
}

void library_calls(void (*function)(int), int value) { function(value); }
