/* What programs share that put files of a library in place while another program, their child, runs it. */
#ifndef DRIVING_H
#define DRIVING_H 1

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static pid_t child;

static void fail(const char *what) {
  fprintf(stderr, DRIVER ": %s\n", what);
  if (child > 0) kill(child, SIGKILL);
  exit(1);
}

/* CLOCK_MONOTONIC, nanoseconds. */
static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

/* The result is open for writing: closing it is the last that happens to the file. */
static int copy(const char *from, const char *to) {
  struct stat status;
  const int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
  if (in < 0 || out < 0 || fstat(in, &status) != 0) fail("can't copy");
  for (off_t left = status.st_size; left > 0;) {
    const ssize_t count = sendfile(out, in, NULL, (size_t)left);
    if (count <= 0) fail("can't copy");
    left -= count;
  }
  close(in);
  return out;
}

#endif
