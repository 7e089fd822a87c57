/* Thread-local variables of the executable and of two libraries, in main and other threads, with every access model
   that the libraries were compiled for. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

__thread int own = 7;
static __thread char zero[100];
static __thread long aligned __attribute__((aligned(64))) = 9;

extern __thread int shared;    /* tlslib.c, exported */
extern int *tls_hidden(void);  /* tlslib.c, local */
extern int tls_sum(void);
extern int tls2_next(void);    /* the second library */

static int (*opened)(void);

static void check(const char *who) {
  int blank = 1;
  for (size_t i = 0; i < sizeof zero; i++) blank &= zero[i] == 0;
  printf("%s: own %d, zero %s, aligned %ld %s, shared %d, hidden %d, sum %d, next %d, opened %d\n", who, own,
         blank ? "blank" : "not blank", aligned, ((uintptr_t)&aligned & 63) == 0 ? "well" : "badly", shared,
         *tls_hidden(), tls_sum(), tls2_next(), opened ? opened() : -1);
  own++, shared += 2, *tls_hidden() += 3, aligned++;
  memset(zero, 1, sizeof zero);
}

static void *thread(void *name) {
  check(name);
  check(name);
  return NULL;
}

int main(int argc, char **argv) {
  pthread_t t;
  check("main");
  pthread_create(&t, NULL, thread, "first");
  pthread_join(t, NULL);
  if (argc > 1) {
    void *handle = dlopen(argv[1], RTLD_NOW);
    if (handle == NULL) {
      puts(dlerror());
      return 1;
    }
    opened = (int (*)(void))dlsym(handle, "tls_opened");
  }
  check("main");
  pthread_create(&t, NULL, thread, "second");
  pthread_join(t, NULL);
  check("main");
  return 0;
}
