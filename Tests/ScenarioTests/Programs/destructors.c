/* Ends with what atexit(3) registered and destructors of all objects. No constructor here takes arguments: musl gives
   none to the program's own. */
#include <stdio.h>
#include <stdlib.h>

static void at_exit(void) { puts("atexit of main"); }
__attribute__((destructor)) static void destructor(void) { puts("destructor of the executable"); }

int main(void) {
  puts("main");
  atexit(at_exit);
  return 6;
}
