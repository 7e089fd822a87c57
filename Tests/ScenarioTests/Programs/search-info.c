/* Where what a library needs is looked for, and all else that dlinfo tells. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void show(const char *what, void *handle) {
  Dl_serinfo size;
  int error = dlinfo(handle, RTLD_DI_SERINFOSIZE, &size);
  printf("%s: %d", what, error);
  Dl_serinfo *info = malloc(size.dls_size);
  error = dlinfo(handle, RTLD_DI_SERINFOSIZE, info);
  error = error * 10 + dlinfo(handle, RTLD_DI_SERINFO, info);
  printf(" %d\n", error);
  size_t names = 0;
  for (unsigned i = 0; i < info->dls_cnt; i++) {
    const char *name = info->dls_serpath[i].dls_name;
    names += strlen(name) + 1;
    /* Only some C libraries look there. */
    if (strstr(name, "lib64") == NULL) printf("  %s %u\n", name, info->dls_serpath[i].dls_flags);
  }
  if (sizeof(Dl_serinfo) - sizeof(Dl_serpath) + info->dls_cnt * sizeof(Dl_serpath) + names > size.dls_size) puts("  too small");
  free(info);
  char origin[4096];
  struct link_map *map = NULL;
  Lmid_t space = 99;
  /* glibc has none of the program itself, and crashes. */
  strcpy(origin, "program");
  printf("  %d", strcmp(what, "program") == 0 ? 0 : dlinfo(handle, RTLD_DI_ORIGIN, origin));
  printf(" %s %d", origin, dlinfo(handle, RTLD_DI_LINKMAP, &map));
  printf(" %s %d", map == NULL ? "none" : map->l_name, dlinfo(handle, RTLD_DI_LMID, &space));
  printf(" %ld\n", (long)space);
  size_t module = 77;
  void *block = &module;
  error = dlinfo(handle, RTLD_DI_TLS_MODID, &module);
  printf("  %d %s", error, module == 0 ? "no module" : "module");
  error = dlinfo(handle, RTLD_DI_TLS_DATA, &block);
  printf(" %d %s\n", error, block == NULL ? "no block" : "block");
#if __GLIBC_PREREQ(2, 36)
  const ElfW(Phdr) *headers = NULL;
  printf("  %s", dlinfo(handle, RTLD_DI_PHDR, &headers) > 2 ? "headers" : "none");
  printf(" %d\n", headers != NULL && headers->p_type != 0);
#endif
  printf("  %d", dlinfo(handle, 99, &size));
  const char *message = dlerror();
  printf(" %s\n", message == NULL ? "no message" : message);
}

int main(int argc, char **argv) {
  show("program", dlopen(NULL, RTLD_NOW));
  for (int i = 1; i < argc; i++) show(argv[i], dlopen(argv[i], RTLD_NOW));
  return 0;
}
