/* What a set-user-ID program sees of its caller's environment, and which library it got. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <unistd.h>

extern int plain_value(void);

int main(void) {
  const char *names[] = {"LD_LIBRARY_PATH", "LD_PRELOAD", "LD_DEBUG", "TMPDIR", "GCONV_PATH", "LOCPATH", "HARMLESS"};
  printf("secure %lu, user %d, effective %d, library %d\n", getauxval(AT_SECURE), (int)getuid(), (int)geteuid(),
         plain_value());
  for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
    const char *value = getenv(names[i]);
    printf("%s %s\n", names[i], value ? value : "is not set");
  }
  return 0;
}
