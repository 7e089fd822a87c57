/* dlopen and its family, as the program sees them. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int exported_by_executable = 17;

static const char *name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

struct walk {
  int objects, with_headers, main_first, found_own;
};

static int visit(struct dl_phdr_info *info, size_t size, void *data) {
  struct walk *walk = data;
  if (walk->objects == 0) walk->main_first = info->dlpi_name[0] == 0;
  walk->objects++;
  for (int i = 0; i < info->dlpi_phnum; i++)
    if (info->dlpi_phdr[i].p_type == PT_LOAD) {
      walk->with_headers++;
      break;
    }
  if (strcmp(name(info->dlpi_name), "libplain.so") == 0)
    walk->found_own = size >= sizeof *info && info->dlpi_adds >= (unsigned long long)walk->objects;
  return 0;
}

extern int plain_value(void);

int main(int argc, char **argv) {
  struct walk walk = {0};
  dl_iterate_phdr(visit, &walk);
  printf("%d objects at least, all have headers: %s, main first: %d, own library found: %d\n", walk.objects >= 4 ? 4 : 0,
         walk.objects - walk.with_headers <= 1 ? "yes" : "no", walk.main_first, walk.found_own);

  printf("plain_value %d\n", plain_value());
  int (*found)(void) = (int (*)(void))dlsym(RTLD_DEFAULT, "plain_value");
  printf("RTLD_DEFAULT: %s\n", found == plain_value ? "the same" : "another");
  printf("executable: %d\n", *(int *)dlsym(RTLD_DEFAULT, "exported_by_executable"));
  printf("puts: %s\n", dlsym(RTLD_DEFAULT, "puts") != NULL ? "found" : dlerror());
  printf("RTLD_NEXT: %s\n", dlsym(RTLD_NEXT, "plain_value") != NULL ? "found" : "not found");
  printf("missing: %s\n", dlsym(RTLD_DEFAULT, "there_is_no_such_symbol") == NULL ? "null" : "something");
  printf("error: %s\n", dlerror() != NULL ? "told" : "not told");
  printf("second: %s\n", dlerror() == NULL ? "none" : "some");

  Dl_info info;
  memset(&info, 0, sizeof info);
  printf("dladdr: %d", dladdr((void *)plain_value, &info));
  printf(" %s %s %d\n", name(info.dli_fname), info.dli_sname, info.dli_saddr == (void *)plain_value);
  memset(&info, 0, sizeof info);
  printf("dladdr of main: %d", dladdr((void *)main, &info));
  printf(" %s\n", name(info.dli_fname));
  printf("dladdr of nothing: %d\n", dladdr((void *)8, &info));

  void *self = dlopen(NULL, RTLD_LAZY);
  printf("self: %s\n", self && dlsym(self, "exported_by_executable") == &exported_by_executable ? "good" : "bad");
  void *plugin = dlopen(argc > 1 ? argv[1] : "libplugin.so", RTLD_NOW | RTLD_LOCAL);
  if (plugin == NULL) {
    printf("dlopen: %s\n", dlerror());
    return 1;
  }
  int (*run)(int) = (int (*)(int))dlsym(plugin, "plugin_run");
  printf("plugin: %d\n", run(4));
  printf("local: %s\n", dlsym(RTLD_DEFAULT, "plugin_run") == NULL ? "hidden" : "visible");
  dlerror();
  void *again = dlopen(argc > 1 ? argv[1] : "libplugin.so", RTLD_NOW | RTLD_NOLOAD);
  printf("again: %s\n", again == plugin ? "the same handle" : "another");
  struct link_map *map = NULL;
  printf("dlinfo: %d", dlinfo(plugin, RTLD_DI_LINKMAP, &map));
  printf(" %s\n", map ? name(map->l_name) : "none");
  printf("close: %d %d\n", dlclose(again), dlclose(plugin));
  void *libm = dlopen("libm.so.6", RTLD_NOW);
  double (*cosine)(double) = libm ? (double (*)(double))dlsym(libm, "cos") : NULL;
  printf("libm: %g\n", cosine ? cosine(0) : -1);
  printf("none: %s\n", dlopen("libthere_is_none.so.7", RTLD_NOW) == NULL ? dlerror() : "?");
  return 0;
}
