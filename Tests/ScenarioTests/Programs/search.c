/* Tells which libplain.so it got. */
#include <stdio.h>
#if defined MIDDLE
extern int middle(void);
#define value middle
#elif defined NOTHING
static int value(void) { return 0; }
#else
extern int value(void);
#endif

int main(void) {
  printf("%d\n", value());
  return 0;
}
