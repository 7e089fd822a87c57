/* Libraries for opening.c, by -DNAME=…; what they do beside counting by other macros. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT2(x) #x
#define TEXT(x) TEXT2(x)
#define JOIN2(x, y) x##_##y
#define JOIN(x, y) JOIN2(x, y)

static void say(const char *what) {
  char line[200];
  if (getenv("QUIET")) return;
  int length = snprintf(line, sizeof line, "%s: %s\n", TEXT(NAME), what);
  if (write(1, line, length) < 0) abort();
}

static int count;
int JOIN(NAME, next)(void) { return ++count; }

#ifdef CALLS
int CALLS(void);
int JOIN(NAME, calls)(void) { return CALLS() + 100; }
#endif
#ifdef LACKS
int LACKS(void);
int JOIN(NAME, lacks)(void) { return LACKS(); }
int JOIN(NAME, other)(void) { return 12; }
#endif
#ifdef LACKS_VARIABLE
extern int LACKS_VARIABLE;
int JOIN(NAME, variable)(void) { return LACKS_VARIABLE; }
#endif
#ifdef WHICH
int which(void) { return WHICH; }
int JOIN(NAME, value)(void) { return which(); }
#endif

static void at_exit(void) { say("atexit"); }

#ifdef NESTED
static void *nested;
#endif

__attribute__((constructor)) static void construct(void) {
  say("constructor");
  if (!getenv("QUIET")) atexit(at_exit);
#ifdef NESTED
  nested = dlopen(getenv("NESTED"), RTLD_NOW);
  say(nested ? "opened" : "failed");
#endif
}

__attribute__((destructor)) static void destruct(void) {
#ifdef NESTED
  say(dlclose(nested) == 0 ? "closed" : "failed");
#endif
  say("destructor");
}
