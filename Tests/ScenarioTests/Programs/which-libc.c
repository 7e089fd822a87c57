/* The version of the C library that serves the program. */
#include <gnu/libc-version.h>
#include <stdio.h>

int main(void) {
  printf("glibc %s\n", gnu_get_libc_version());
  return 0;
}
