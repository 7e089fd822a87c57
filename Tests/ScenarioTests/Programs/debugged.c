/* Opens the library of its argument, calls it, closes it. For debuggers. */
#include <dlfcn.h>
#include <stdio.h>

static int use(void *handle) {
  int (*next)(void) = (int (*)(void))dlsym(handle, "a_next");
  return next();
}

int main(int argc, char **argv) {
  (void)argc;
  void *handle = dlopen(argv[1], RTLD_NOW);
  if (handle == NULL) return puts(dlerror());
  int result = use(handle);
  dlclose(handle);
  puts("end");
  return result;
}
