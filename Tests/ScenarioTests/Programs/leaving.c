/* leaving [PLUGIN]: uses liblayouts but for its function that makes objects; a plugin that is closed again has made one,
   which lives until a line comes. Tells which version answers. Ends with standard input; with 1 if the object's sum is
   wrong. */
#include <dlfcn.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "layouts.h"

static struct record *from_plugin(const char *path) {
  void *handle = dlopen(path, RTLD_NOW);
  struct record *(*make)(void) = handle ? (struct record * (*)(void)) dlsym(handle, "leaving_make") : NULL;
  struct record *record = make ? make() : NULL;
  if (handle) dlclose(handle);
  return record;
}

int main(int argc, char **argv) {
  char version[32] = "", text[64];
  struct pollfd input = {0, POLLIN, 0};
  struct record *kept = argc > 1 ? from_plugin(argv[1]) : NULL;
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (;;) {
    if (kept && record_sum(kept) != 42 + 42 + 7 + 42 + 899 + 42 * 3) {
      puts("wrong");
      return 1;
    }
    if (strcmp(version, record_version()) != 0) {
      strncpy(version, record_version(), sizeof version - 1);
      printf("version %s\n", version);
    }
    if (poll(&input, 1, 5) <= 0) continue;
    if (read(0, text, sizeof text) <= 0) return 0;
    record_free(kept);
    kept = NULL;
  }
}
