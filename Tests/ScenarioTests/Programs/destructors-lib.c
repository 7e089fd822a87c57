/* NAME is given. */
#include <stdio.h>

__attribute__((destructor)) static void destructor(void) { puts("destructor of " NAME); }
