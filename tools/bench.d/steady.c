/* What programs do all the time, in sections between two signals to itself that steps.c waits for: calls of a library
   through the PLT, through a pointer, through one of dlsym; its variables; thread-local variables; the C library. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

extern int steady_next(void), steady_own(void), steady_value;
static int (*volatile pointer)(void) = steady_next;

/* Without the C library, whose functions may be others than the system's loader binds to. */
static long call(long number, long a, long b) {
  long result;
  __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b) : "rcx", "r11", "memory");
  return result;
}
static void mark(void) { call(SYS_kill, call(SYS_getpid, 0, 0), SIGURG); }

int main(void) {
  int (*found)(void) = (int (*)(void))dlsym(RTLD_DEFAULT, "steady_found");
  volatile int sum = 0;
  static char text[64] __attribute__((aligned(64)));
  memset(text, 'x', sizeof text);
  text[63] = 0;
  /* The first round binds what is bound lazily, and is not counted. */
  for (int round = 0; round < 2; round++) {
    mark();
    for (int i = 0; i < 1000; i++) sum += steady_next();
    mark();
    for (int i = 0; i < 1000; i++) sum += pointer();
    mark();
    for (int i = 0; i < 1000; i++) sum += found();
    mark();
    for (int i = 0; i < 1000; i++) sum += steady_value;
    mark();
    for (int i = 0; i < 1000; i++) sum += steady_own();
    mark();
    for (int i = 0; i < 1000; i++) sum += (int)strlen(text);
    mark();
  }
  return 0;
}
