/* The names of all objects that a debugger is told of. */
#include <link.h>
#include <stdio.h>

int main(void) {
  for (const ElfW(Dyn) *entry = _DYNAMIC; entry->d_tag != DT_NULL; entry++) {
    if (entry->d_tag != DT_DEBUG) continue;
    const struct r_debug *debug = (const struct r_debug *)entry->d_un.d_ptr;
    for (const struct link_map *map = debug->r_map; map; map = map->l_next) puts(map->l_name);
  }
  return 0;
}
