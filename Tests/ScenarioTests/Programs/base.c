#include <stdio.h>

extern int base_use(void);

int main(void) {
  printf("%d\n", base_use());
  return 0;
}
