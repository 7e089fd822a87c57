/* dlopen and dlclose with everything around them. Argument: the directory of the libraries, which are
   opening-lib.c compiled under several names. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[8][600];
static const char *directory;

static const char *in(const char *name) {
  static int next;
  char *result = path[next++ & 7];
  snprintf(result, sizeof path[0], "%s/%s", directory, name);
  return result;
}

/* Messages without the directory. */
static const char *error(void) {
  static char text[2000];
  const char *message = dlerror();
  if (message == NULL) return "(none)";
  const char *found = strstr(message, directory);
  if (found == NULL) return message;
  snprintf(text, sizeof text, "%.*s%s", (int)(found - message), message, found + strlen(directory));
  return text;
}

static void *try(const char *what, const char *name, int mode) {
  void *handle = dlopen(name, mode);
  printf("%s: %s\n", what, handle ? "opened" : error());
  return handle;
}

static void closed(const char *what, void *handle) {
  int result = dlclose(handle);
  printf("close %s: %d %s\n", what, result, error());
}

static int mapped(const char *name) {
  char line[1000];
  int count = 0;
  FILE *maps = fopen("/proc/self/maps", "r");
  while (maps && fgets(line, sizeof line, maps)) count += strstr(line, name) != NULL;
  if (maps) fclose(maps);
  return count > 0;
}

struct search { const char *name; int found; };

static int visit(struct dl_phdr_info *info, size_t size, void *data) {
  struct search *search = data;
  if (strstr(info->dlpi_name, search->name)) search->found++;
  return 0;
}

static int listed(const char *name) {
  struct search search = {name, 0};
  dl_iterate_phdr(visit, &search);
  return search.found;
}

static void say_loaded(const char *name) { printf("%s: %s\n", name, listed(name) ? "there" : "gone"); }

static int call(void *handle, const char *name) {
  int (*function)(void) = (int (*)(void))dlsym(handle, name);
  return function ? function() : -1;
}

static void counts(void) {
  puts("-- counts");
  void *one = try("a", in("liba.so"), RTLD_NOW), *two = try("a again", in("liba.so"), RTLD_NOW);
  printf("same handle: %d\n", one == two);
  printf("a_next: %d %d\n", call(one, "a_next"), call(one, "a_next"));
  closed("a", one);
  say_loaded("liba.so");
  closed("a", two);
  say_loaded("liba.so");
  one = try("a fresh", in("liba.so"), RTLD_NOW);
  printf("a_next: %d\n", call(one, "a_next"));
  closed("a", one);
}

static void dependencies(void) {
  puts("-- dependencies");
  void *b = try("b needs a", in("libb.so"), RTLD_LAZY);
  void *a = try("a", in("liba.so"), RTLD_LAZY | RTLD_NOLOAD);
  closed("b", b);
  say_loaded("libb.so");
  say_loaded("liba.so");
  closed("a", a);
  say_loaded("liba.so");
  void *c1 = try("cycle", in("libcycle1.so"), RTLD_NOW);
  closed("cycle", c1);
  say_loaded("libcycle");
}

static void names(void) {
  puts("-- names");
  void *a = try("a", in("liba.so"), RTLD_NOW);
  void *link = try("symbolic link", in("link.so"), RTLD_NOW);
  void *hard = try("hard link", in("hard.so"), RTLD_NOW);
  void *soname = try("soname", "libsoname-of-a.so", RTLD_NOW);
  void *base = try("base name", "liba.so", RTLD_NOW);
  printf("same: %d %d %d %d\n", a == link, a == hard, a == soname, base == NULL);
  if (a) closed("a", a);
  if (link) closed("link", link);
  if (hard) closed("hard", hard);
  if (soname) closed("soname", soname);
  say_loaded("liba.so");
  void *other = try("another directory", in("other/liba.so"), RTLD_NOW);
  a = try("a", in("liba.so"), RTLD_NOW);
  printf("another: %d\n", a != other);
  closed("other", other), closed("a", a);
}

static void modes(void) {
  puts("-- modes");
  try("no mode", in("liba.so"), 0);
  try("no mode, program", NULL, 0);
  try("not loaded", in("liba.so"), RTLD_NOW | RTLD_NOLOAD);
  try("not there, not loaded", in("nothing.so"), RTLD_NOW | RTLD_NOLOAD);
  void *a = try("local", in("liba.so"), RTLD_NOW);
  printf("default: %s\n", dlsym(RTLD_DEFAULT, "a_next") ? "found" : error());
  void *again = try("promoted", in("liba.so"), RTLD_NOW | RTLD_NOLOAD | RTLD_GLOBAL);
  printf("default: %s\n", dlsym(RTLD_DEFAULT, "a_next") ? "found" : error());
  closed("a", a), closed("a", again);
  printf("default: %s\n", dlsym(RTLD_DEFAULT, "a_next") ? "found" : error());
  a = try("no delete", in("libstay.so"), RTLD_NOW | RTLD_NODELETE);
  printf("stay_next: %d\n", call(a, "stay_next"));
  closed("no delete", a);
  say_loaded("libstay.so");
  a = try("no delete", in("libstay.so"), RTLD_NOW);
  printf("stay_next: %d\n", call(a, "stay_next"));
  a = try("-z nodelete", in("libkeep.so"), RTLD_NOW);
  closed("-z nodelete", a);
  say_loaded("libkeep.so");
  void *deep = try("deep", in("libdeep.so"), RTLD_NOW | RTLD_DEEPBIND);
  void *shallow = try("shallow", in("libshallow.so"), RTLD_NOW);
  printf("deep: %d shallow: %d\n", call(deep, "deep_value"), call(shallow, "shallow_value"));
  void *self = try("program", NULL, RTLD_NOW);
  printf("which: %d\n", call(self, "which"));
  closed("program", self);
}

int which(void) { return 1000; }

static void failures(void) {
  puts("-- failures");
  try("missing", in("nothing.so"), RTLD_NOW);
  try("missing, searched", "libthere-is-none.so", RTLD_NOW);
  try("needs missing", in("libneedy.so"), RTLD_NOW);
  say_loaded("libneedy.so");
  try("undefined", in("libundefined.so"), RTLD_NOW);
  say_loaded("libundefined.so");
  void *lazy = try("undefined, lazily", in("libundefined.so"), RTLD_LAZY);
  if (lazy) printf("works: %d\n", call(lazy, "undefined_other")), closed("lazy", lazy);
  try("undefined, with needs", in("libundefined2.so"), RTLD_NOW | RTLD_GLOBAL);
  say_loaded("libundefined2.so");
  say_loaded("liba.so");
  printf("not in scope: %s\n", dlsym(RTLD_DEFAULT, "a_next") ? "found" : error());
  try("undefined variable", in("libvariable.so"), RTLD_LAZY);
  try("version", in("libversion-user.so"), RTLD_NOW);
  try("directory", directory, RTLD_NOW);
  try("empty", in("empty.so"), RTLD_NOW);
  try("garbage", in("garbage.so"), RTLD_NOW);
  try("text", in("text.so"), RTLD_NOW);
  try("program as library", in("program-pie"), RTLD_NOW);
  void *a = try("still works", in("liba.so"), RTLD_NOW);
  printf("%s\n", dlsym(a, "there_is_none") ? "found" : error());
  printf("%s\n", dlvsym(a, "there_is_none", "V1") ? "found" : error());
  closed("a", a);
}

static void nested(void) {
  puts("-- nested");
  setenv("NESTED", in("liba.so"), 1);
  void *n = try("opens in its constructor", in("libnested.so"), RTLD_NOW);
  say_loaded("liba.so");
  closed("nested", n);
  say_loaded("libnested.so");
  say_loaded("liba.so");
}

static void bound(void) {
  puts("-- bound");
  void *a = try("a", in("liba.so"), RTLD_NOW | RTLD_GLOBAL);
  void *user = try("user, not linked with a", in("libuser.so"), RTLD_NOW);
  closed("a", a);
  say_loaded("liba.so");
  printf("user_calls: %d\n", call(user, "user_calls"));
  closed("user", user);
  say_loaded("libuser.so");
  say_loaded("liba.so");
}

static void *opener(void *argument) {
  long failed = 0;
  for (int i = 0; i < 200; i++) {
    char name[600];
    snprintf(name, sizeof name, "%s/%s", directory, i & 1 ? "libb.so" : "liba.so");
    void *handle = dlopen(name, RTLD_NOW);
    if (!handle || !dlsym(handle, "a_next") || dlclose(handle) != 0) failed++;
  }
  return (void *)failed;
}

static void threads(void) {
  puts("-- threads");
  pthread_t t[6];
  long failed = 0;
  setenv("QUIET", "1", 1);
  for (int i = 0; i < 6; i++) pthread_create(&t[i], NULL, opener, NULL);
  for (int i = 0; i < 6; i++) {
    void *result;
    pthread_join(t[i], &result);
    failed += (long)result;
  }
  unsetenv("QUIET");
  printf("failed: %ld\n", failed);
  say_loaded("liba.so");
}

int main(int argc, char **argv) {
  directory = argv[1];
  setvbuf(stdout, NULL, _IONBF, 0);
  counts();
  dependencies();
  names();
  modes();
  failures();
  nested();
  bound();
  threads();
  printf("mapped: %d\n", mapped("liba.so"));
  puts("-- end");
  return argc == 3 ? which() : 0;
}
