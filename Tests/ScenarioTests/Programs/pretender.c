/* pretender KIND FILE: looks to `luci` like a process under Luci whose pipe for questions is FILE. With KIND wrong-pipe
   there is no such descriptor at all. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(int argc, char **argv) {
  char line[8];
  if (argc < 3) return 2;
  prctl(PR_SET_NAME, "ld-luci");
  memfd_create("ld-luci:100", 0);
  if (strcmp(argv[1], "wrong-pipe") != 0) dup2(open(argv[2], O_PATH), 100);
  puts("ready");
  fflush(stdout);
  while (fgets(line, sizeof line, stdin)) continue;
  return 0;
}
