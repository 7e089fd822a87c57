/* Uses the damaged library: linked with it (-DLINKED), or by dlopen. What it says tells how far the loader came. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void say(const char *text) {
  if (write(1, text, strlen(text)) < 0) _exit(9);
}

#ifdef LINKED
int hostile_call(int value);
static void started(void) { say("started\n"); }
__attribute__((section(".preinit_array"), used)) static void (*preinit)(void) = started;

int main(void) { return printf("%d\n", hostile_call(1)) < 0; }
#else
int main(int argc, char **argv) {
  if (argc < 2) return 8;
  say("opening\n");
  void *handle = dlopen(argv[1], RTLD_NOW);
  say("started\n");
  if (handle == NULL) return puts(dlerror()) < 0;
  int (*call)(int) = (int (*)(int))dlsym(handle, "hostile_call");
  if (call) printf("%d\n", call(1));
  return dlclose(handle);
}
#endif
