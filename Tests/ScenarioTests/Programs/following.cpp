// Prints where everything leads that leads into libfollowing.so: for each line of input "look" once; for "throw" an
// exception passes between versions, after another line of input.
#include <dlfcn.h>
#include <link.h>

#include <cstdio>
#include <cstring>

#include "following.h"

static char line[64];

static bool read_line() {
  std::fflush(stdout);
  return std::fgets(line, sizeof line, stdin) != nullptr;
}

static const char *program_hook() { return "program"; }

static int is_listed(dl_phdr_info *info, size_t, void *base) {
  return info->dlpi_addr == reinterpret_cast<ElfW(Addr)>(base);
}

/// Whether an address is known to dladdr, as a part of the library, and its object to dl_iterate_phdr.
static const char *known(void *address) {
  Dl_info info;
  if (!dladdr(address, &info) || !std::strstr(info.dli_fname, "libfollowing.so")) return "unknown";
  return dl_iterate_phdr(is_listed, info.dli_fbase) ? "known" : "unlisted";
}

static void *base(void *address) {
  Dl_info info;
  return dladdr(address, &info) ? info.dli_fbase : nullptr;
}

static void inner() {
  std::puts("inside");
  if (read_line()) throws();
}

int main() {
  Shape *const shape = make();
  const char *(*const looked_up)() = reinterpret_cast<const char *(*)()>(dlsym(RTLD_DEFAULT, "version"));
  void (*const kept)() = thrower();
  change_hook(program_hook);
  while (read_line()) {
    if (std::strcmp(line, "throw\n") == 0) {
      const char *thrown = "nobody", *caught = "nobody";
      catches(inner, thrown, caught);
      std::printf("thrown by %s, caught by %s\n", thrown, caught);
      catches(kept, thrown, caught);
      std::printf("thrown by %s, caught by %s\n", thrown, caught);
      continue;
    }
    const char *(*const added)() = reinterpret_cast<const char *(*)()>(dlsym(RTLD_DEFAULT, "added"));
    std::printf(
      "call %s, virtual %s, dlsym %s, hook %s, changed hook %s, added %s, first code %s, code %s, %s\n", version(),
      shape->name(), looked_up(), by_hook(), by_changed_hook(), added ? added() : "none",
      known(reinterpret_cast<void *>(kept)), known(reinterpret_cast<void *>(thrower())),
      base(reinterpret_cast<void *>(kept)) == base(reinterpret_cast<void *>(thrower())) ? "one object" : "two objects");
  }
  delete shape;
  return 0;
}
