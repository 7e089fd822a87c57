// Exceptions pass through a function of this library, which has something to clean up meanwhile.
#include "throwing-stale.h"

struct Cleaner {
  int &count;
  ~Cleaner() { count++; }
};

int pass(void (*inner)(), int &cleaned) {
  Cleaner cleaner{cleaned};
  inner();
  return VERSION;
}
