/* pretender KIND FILE: looks to `luci` like a process under Luci.
   file, fifo    its pipe for questions is FILE, which it has open without access
   wrong-pipe    there is no such descriptor at all
   liar          it answers each question with the next line of FILE, which is the length that it claims and the answer */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

static void answer(int file, const char *question, const char *line) {
  char header[65];
  const char *body = strchr(line, ' ') + 1;
  snprintf(header, sizeof header, "%.40s %ld", question, atol(line));
  memset(header + strlen(header), ' ', sizeof header - strlen(header));
  header[63] = '\n';
  ftruncate(file, 64);
  pwrite(file, body, strlen(body), 64);
  pwrite(file, header, 64, 0);
}

int main(int argc, char **argv) {
  char line[4096], question[4097];
  int ends[2];
  if (argc < 3) return 2;
  prctl(PR_SET_NAME, "ld-luci");
  const int file = memfd_create("ld-luci:100", 0);
  FILE *lines = NULL;
  if (!strcmp(argv[1], "liar")) {
    lines = fopen(argv[2], "r");
    if (!lines || pipe(ends) || dup2(ends[1], 100) < 0) return 3;
  } else if (strcmp(argv[1], "wrong-pipe")) {
    dup2(open(argv[2], O_PATH), 100);
  }
  puts("ready");
  fflush(stdout);
  for (;;) {
    struct pollfd input[2] = {{0, POLLIN, 0}, {lines ? ends[0] : -1, POLLIN, 0}};
    poll(input, 2, -1);
    if (input[0].revents) return 0;
    if (input[1].revents) {
      const ssize_t count = read(ends[0], question, sizeof question - 1);
      if (count <= 0 || !fgets(line, sizeof line, lines)) return 4;
      question[count] = 0;
      answer(file, question, line);
    }
  }
}
