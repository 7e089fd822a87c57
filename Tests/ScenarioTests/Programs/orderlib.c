/* NAME and RESULT are given; with NEEDS a library that uses another one, so that the order is fixed. */
#include <stdlib.h>

#include "say.h"

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

#ifdef NEEDS
extern int JOIN(order_, NEEDS)(void);
#endif

static int ready;

static void at_exit(void) { say("atexit of " TEXT(NAME), 1); }

__attribute__((constructor)) static void constructor(int argc, char **argv, char **envp) {
#ifdef NEEDS
  say("constructor of " TEXT(NAME), argc > 0 && argv[0] && envp[0] && JOIN(order_, NEEDS)() > 0);
#else
  say("constructor of " TEXT(NAME), argc > 0 && argv[0] && envp[0]);
#endif
  atexit(at_exit);
  ready = RESULT;
}
__attribute__((destructor)) static void destructor(void) { say("destructor of " TEXT(NAME), 1); }

/* The traditional entries beside the arrays. */
void _traditional_init(void) { say("DT_INIT of " TEXT(NAME), ready == 0); }
void _traditional_fini(void) { say("DT_FINI of " TEXT(NAME), ready != 0); }

int JOIN(order_, NAME)(void) { return ready; }
