#include <stdio.h>
#include <string>

struct Named {
  std::string name = "a name that is too long for a string without memory of its own";
  int uses = 0;
  ~Named() { printf("%s: destroyed after %d\n", name.c_str(), uses); }
};

static thread_local Named named;
static int count;

extern "C" void use(const char *name) {
  named.name = name;
  named.uses++;
  printf("%s: used, %d\n", name, ++count);
}

__attribute__((destructor)) static void unload() { puts("unloaded"); }
