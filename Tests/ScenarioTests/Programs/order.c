/* The order of constructors, destructors and exit functions. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "say.h"

extern int order_first(void), order_second(void);

static void preinit(int argc, char **argv, char **envp) {
  (void)envp;
  say("preinit of the executable", argc > 0 && argv[0] != NULL);
}
__attribute__((section(".preinit_array"), used)) static void (*preinit_pointer)(int, char **, char **) = preinit;

__attribute__((constructor(200))) static void late(void) { say("constructor 200 of the executable", 1); }
__attribute__((constructor(101))) static void early(void) { say("constructor 101 of the executable", 1); }
__attribute__((constructor)) static void plain(int argc, char **argv, char **envp) {
  say("constructor of the executable", argc > 0 && argv[0] != NULL && envp[0] != NULL);
}
__attribute__((destructor)) static void destructor(void) { say("destructor of the executable", 1); }
static void at_exit(void) { say("atexit of main", 1); }
static void at_quick_exit_(void) { say("at_quick_exit of main", 1); }

int main(int argc, char **argv) {
  atexit(at_exit);
  at_quick_exit(at_quick_exit_);
  say("main", order_first() + order_second() == 3);
  if (argc > 1 && argv[1][0] == 'q') quick_exit(4);
  if (argc > 1 && argv[1][0] == '_') _exit(5);
  printf("buffered until exit");
  return 6;
}
