#include <stdio.h>

extern int plain_value(void), plain_extra(void);

int main(void) {
  puts("before");
  fflush(stdout);
  printf("%d\n", plain_value() + plain_extra());
  return 0;
}
