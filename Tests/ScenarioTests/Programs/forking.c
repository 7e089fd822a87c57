/* A process and its child that count with libcounter, each with its own state, until standard input ends. */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "counter.h"

static int run(const char *who, unsigned long first) {
  char version[32] = "";
  struct pollfd input = {0, POLLIN, 0};
  for (unsigned long expected = first;; expected++) {
    const struct counter_answer answer = counter_add(0);
    if (answer.count != expected) {
      printf("wrong: %s counts %lu instead of %lu\n", who, answer.count, expected);
      return 1;
    }
    if (strcmp(version, answer.version) != 0) {
      strncpy(version, answer.version, sizeof version - 1);
      printf("%s: %s\n", who, version);
    }
    if (poll(&input, 1, 1) > 0) return 0;
  }
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (int i = 0; i < 5; i++) counter_add(0);
  const pid_t child = fork();
  if (child == 0) return run("child", 6);
  const int result = run("parent", 6);
  int status = 0;
  waitpid(child, &status, 0);
  return result + (status != 0);
}
