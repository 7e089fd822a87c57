/* main DIRECTORY UNTIL…: opens the plugins of a directory, uses them, and tells when their answers change. Ends when
   each of UNTIL was the name of a plugin. */
#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST = 16 };
struct plugin {
  const char *(*name)(void);
  long (*apply)(long);
  unsigned long (*uses)(void);
  const char *told;
  unsigned long calls;
};
static struct plugin plugins[MOST];
static int count;

static void load(const char *directory) {
  DIR *entries = opendir(directory);
  for (struct dirent *entry; entries && (entry = readdir(entries)) && count < MOST;) {
    char path[4096];
    const size_t length = strlen(entry->d_name);
    if (length < 4 || strcmp(entry->d_name + length - 3, ".so") != 0) continue;
    snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
      puts(dlerror());
      exit(1);
    }
    struct plugin *plugin = &plugins[count++];
    plugin->name = (const char *(*)(void))dlsym(handle, "plugin_name");
    plugin->apply = (long (*)(long))dlsym(handle, "plugin_apply");
    plugin->uses = (unsigned long (*)(void))dlsym(handle, "plugin_uses");
    plugin->told = "";
  }
  if (entries) closedir(entries);
}

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  alarm(60); /* whatever happens, it ends */
  load(argv[1]);
  printf("%d plugins\n", count);
  for (int left = argc - 2; left > 0;) {
    for (int i = 0; i < count; i++) {
      struct plugin *plugin = &plugins[i];
      const long result = plugin->apply(7);
      if (plugin->uses() != ++plugin->calls) {
        printf("wrong: call %lu counted as %lu\n", plugin->calls, plugin->uses());
        return 1;
      }
      const char *name = plugin->name();
      if (strcmp(name, plugin->told) == 0) continue;
      plugin->told = name;
      printf("%s makes %ld of 7, call %lu\n", name, result, plugin->calls);
      for (int wanted = 2; wanted < argc; wanted++) left -= strcmp(argv[wanted], name) == 0;
    }
    usleep(1000);
  }
  return 0;
}
