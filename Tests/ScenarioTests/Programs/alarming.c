/* A signal handler calls alarm_version() about a thousand times a second, while the program is inside malloc most of
   the time. A line on standard input makes the main thread call it, too. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <poll.h>
#include <unistd.h>

const char *alarm_version(void);

static volatile sig_atomic_t handled;
static const char *volatile answer = "";

static void handle(int number) {
  (void)number;
  answer = alarm_version();
  handled = handled + 1;
}

int main(void) {
  struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
  struct itimerval timer = {{0, 2000}, {0, 2000}};
  long printed = 0;
  setvbuf(stdout, NULL, _IOLBF, 0);
  sigaction(SIGALRM, &action, NULL);
  setitimer(ITIMER_REAL, &timer, NULL);
  for (unsigned long i = 0;; i++) {
    free(malloc(1 + i % 5000));
    if (i % 1000 != 0) continue;
    if (handled >= printed + 100) {
      printed = handled;
      printf("handler %ld %s\n", printed, answer);
    }
    struct pollfd input = {0, POLLIN, 0};
    char line[16];
    if (poll(&input, 1, 0) > 0) {
      if (read(0, line, sizeof line) <= 0) return 0;
      printf("main %s\n", alarm_version());
    }
  }
}
