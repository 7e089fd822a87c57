/* Code that is checked by its result. It fills several pages, so that not all of it comes back at once. */
#include "hammer.h"

#define FUNCTION(name, constant)                                                                                  \
  unsigned long hammer_##name(unsigned long value) {                                                              \
    unsigned long sum = constant;                                                                                 \
    for (unsigned long i = 0; i < 16; i++) sum = sum * 6364136223846793005ul + (value ^ i);                       \
    return sum;                                                                                                   \
  }
#define FILL __asm__(".text\n.balign 4096\n");
FUNCTION(a, 1)
FILL FUNCTION(b, 2)
FILL FUNCTION(c, 3)
FILL FUNCTION(d, 4)
FILL

const char *hammer_version(void) { return VERSION; }

unsigned long (*const hammer_functions[4])(unsigned long) = {hammer_a, hammer_b, hammer_c, hammer_d};
