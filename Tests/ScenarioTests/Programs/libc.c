/* What the C library loads or looks up by itself: name service, character sets, locales, the main thread's stack. */
#define _GNU_SOURCE
#include <alloca.h>
#include <errno.h>
#include <iconv.h>
#include <locale.h>
#include <netdb.h>
#include <pthread.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void *waits(void *unused) {
  struct timespec long_time = {60, 0};
  nanosleep(&long_time, NULL);
  return unused;
}

int main(void) {
  struct passwd *root = getpwnam("root");
  printf("root: %d\n", root ? (int)root->pw_uid : -1);
  struct addrinfo *address = NULL;
  printf("127.0.0.1: %d\n", getaddrinfo("127.0.0.1", "80", NULL, &address));
  if (address) freeaddrinfo(address);
  iconv_t converter = iconv_open("UTF-8", "ISO-8859-15");
  char in[] = "\xa4", out[8] = "";
  char *from = in, *to = out;
  size_t from_left = 1, to_left = sizeof out;
  if (converter != (iconv_t)-1) {
    iconv(converter, &from, &from_left, &to, &to_left);
    iconv_close(converter);
  }
  printf("euro: %s\n", out);
  printf("locale: %s\n", setlocale(LC_ALL, "C.UTF-8") ? "set" : "not set");
  printf("programme: %s\n", program_invocation_short_name);

  pthread_attr_t attributes;
  void *stack;
  size_t size;
  pthread_getattr_np(pthread_self(), &attributes);
  pthread_attr_getstack(&attributes, &stack, &size);
  char *here = __builtin_frame_address(0);
  printf("main's stack: %s\n", here > (char *)stack && here < (char *)stack + size ? "found" : "not found");
  volatile char *deep = alloca(4 << 20);
  for (size_t i = 0; i < 4 << 20; i += 4096) deep[i] = 1;
  printf("deep stack: %d\n", deep[4096]);

  pthread_t thread;
  void *result = NULL;
  pthread_create(&thread, NULL, waits, NULL);
  pthread_cancel(thread);
  pthread_join(thread, &result);
  printf("cancelled: %s\n", result == PTHREAD_CANCELED ? "yes" : "no");
  char *text = NULL;
  if (asprintf(&text, "%.3f %s", 3.14159, strerror(ENOENT)) > 0) puts(text);
  free(text);
  return 0;
}
