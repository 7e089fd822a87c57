// Two libraries that were opened for themselves share what C++ says there is one of. Arguments: the libraries.
#include <dlfcn.h>
#include <stdio.h>

typedef int *(*find)();

int main(int, char **argv) {
  void *first = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL), *second = dlopen(argv[2], RTLD_NOW | RTLD_LOCAL);
  if (!first || !second) return puts(dlerror());
  int *a = ((find)dlsym(first, "find"))(), *b = ((find)dlsym(second, "find"))();
  printf("one variable: %d\n", a == b);
  *a = 5;
  printf("by name: %d\n", dlsym(second, "_Z6uniqueIiE") == a);
  printf("closed: %d", dlclose(first));
  printf(" %d\n", dlclose(second));
  // Whoever else may be bound to it: the first library has to stay.
  printf("still there: %d\n", *a);
  first = dlopen(argv[1], RTLD_NOW), second = dlopen(argv[2], RTLD_NOW);
  printf("kept: %d %d\n", *((find)dlsym(first, "find"))(), *((find)dlsym(second, "find"))());
  void *apart = dlmopen(LM_ID_NEWLM, argv[2], RTLD_NOW);
  if (!apart) return puts(dlerror());
  int *c = ((find)dlsym(apart, "find"))();
  printf("another namespace: %d %d, closed: %d\n", c != a, *c, dlclose(apart));
}
