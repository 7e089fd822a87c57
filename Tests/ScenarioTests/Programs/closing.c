/* closing PATH: does what each byte of its input says: o(pen), n(ext), c(lose), l(ist: how many objects there are). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <unistd.h>

static int count_object(struct dl_phdr_info *info, size_t size, void *count) {
  (void)info, (void)size;
  ++*(int *)count;
  return 0;
}

int main(int argc, char **argv) {
  void *handle = NULL;
  int (*next)(void) = NULL;
  const char *(*version)(void) = NULL;
  Dl_info info;
  char command;
  setvbuf(stdout, NULL, _IOLBF, 0);
  while (argc > 1 && read(0, &command, 1) == 1) {
    int objects = 0;
    switch (command) {
    case 'o':
      handle = dlopen(argv[1], RTLD_NOW);
      next = handle ? (int (*)(void))dlsym(handle, "closing_next") : NULL;
      version = handle ? (const char *(*)(void))dlsym(handle, "closing_version") : NULL;
      if (!next || !version) puts(dlerror());
      else if (!dladdr((void *)next, &info) || info.dli_saddr != (void *)next) puts("another address");
      else puts("opened");
      break;
    case 'n': printf("%s %d\n", version(), next()); break;
    case 'c': printf("closed %d\n", dlclose(handle)); break;
    case 'l':
      dl_iterate_phdr(count_object, &objects);
      printf("%d objects\n", objects);
      break;
    }
  }
  puts("end");
  return 0;
}
