/* Does what standard input says, and prints the outcome: version, pointer, change, stayed, open PATH, opened. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

extern const char *setting_version(void);
extern void setting_stay(void (*tell)(const char *), volatile int *end);

static const char *mine(void) { return "mine"; }
static const char *(*volatile pointer)(void) = setting_version;
static volatile int end;
static const char *volatile told = "nothing";
static volatile unsigned long calls;

static void tell(const char *version) {
  told = version;
  calls++;
  usleep(100);
}

static void *stay(void *unused) {
  setting_stay(tell, &end);
  return unused;
}

int main(void) {
  char line[4096];
  pthread_t thread;
  const char *(*opened)(void) = NULL;
  pthread_create(&thread, NULL, stay, NULL);
  setvbuf(stdout, NULL, _IOLBF, 0);
  while (fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\n")] = 0;
    if (strcmp(line, "version") == 0) puts(setting_version());
    if (strcmp(line, "pointer") == 0) puts(pointer());
    if (strcmp(line, "change") == 0) {
      pointer = mine;
      puts("changed");
    }
    if (strcmp(line, "stayed") == 0) printf("%s %lu\n", told, calls);
    if (strncmp(line, "open ", 5) == 0) {
      void *handle = dlopen(line + 5, RTLD_NOW);
      opened = handle ? (const char *(*)(void))dlsym(handle, "setting_opened") : NULL;
      puts(opened ? "open" : dlerror());
    }
    if (strcmp(line, "opened") == 0) puts(opened());
  }
  end = 1;
  pthread_join(thread, NULL);
  return 0;
}
