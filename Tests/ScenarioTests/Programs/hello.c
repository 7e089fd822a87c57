#include <stdio.h>

int main(void) {
  puts("hello");
  fputs("and an error\n", stderr);
  return 0;
}
