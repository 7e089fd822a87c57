/* main SWITCHES: a server, and clients in threads of the same process, over loopback. Ends when the answers have gone
   over to another version so many times. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "answer.h"

enum { CLIENTS = 4 };
static atomic_int ended;
static atomic_ulong requests, longest; /* the longest answer took so many nanoseconds */
static atomic_int version;
static atomic_int switches;
static struct sockaddr_in address = {.sin_family = AF_INET};

static void die(const char *what) {
  perror(what);
  exit(1);
}

/* A request and an answer are a byte with the length, and as many bytes. */
static int get(int socket, char *bytes) {
  unsigned char length;
  if (recv(socket, &length, 1, 0) != 1) return -1;
  return recv(socket, bytes, length, MSG_WAITALL) == length ? length : -1;
}

static void put(int socket, const char *bytes, unsigned length) {
  char message[256] = {(char)length};
  memcpy(message + 1, bytes, length);
  if (send(socket, message, length + 1, MSG_NOSIGNAL) != (ssize_t)length + 1) die("send");
}

static void *serve(void *argument) {
  const int socket = (int)(long)argument;
  char request[256], answer[512];
  for (int length; (length = get(socket, request)) >= 0;)
    put(socket, answer, answer_request(request, (unsigned)length, answer));
  close(socket);
  return NULL;
}

static void *listen_to(void *argument) {
  const int listener = (int)(long)argument;
  for (;;) {
    const int socket = accept(listener, NULL, NULL);
    pthread_t thread;
    if (socket < 0) return NULL;
    pthread_create(&thread, NULL, serve, (void *)(long)socket);
    pthread_detach(thread);
  }
}

static void *ask(void *argument) {
  const long self = (long)argument;
  const int one = 1, connection = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(connection, (struct sockaddr *)&address, sizeof address) != 0) die("connect");
  setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  for (unsigned long n = 0; !ended; n++) {
    char request[64], answer[256];
    struct timespec before, after;
    const unsigned length = (unsigned)snprintf(request, sizeof request, "request %lu of client %ld", n, self);
    clock_gettime(CLOCK_MONOTONIC, &before);
    put(connection, request, length);
    int wrong = get(connection, answer) != (int)length + 2;
    for (unsigned i = 0; i < length; i++) wrong |= answer[i] != request[length - 1 - i];
    if (wrong) {
      printf("wrong answer to \"%s\"\n", request);
      exit(1);
    }
    clock_gettime(CLOCK_MONOTONIC, &after);
    const unsigned long time =
        (unsigned long)((after.tv_sec - before.tv_sec) * 1000000000L + after.tv_nsec - before.tv_nsec);
    if (time > longest) longest = time;
    requests++;
    const int number = answer[length + 1] - '0';
    if (self == 0 && number != version) {
      version = number;
      printf("version %d, switch %d\n", number, switches++);
    }
  }
  close(connection);
  return NULL;
}

int main(int argc, char **argv) {
  const int wanted = argc > 1 ? atoi(argv[1]) : 10, listener = socket(AF_INET, SOCK_STREAM, 0);
  socklen_t size = sizeof address;
  pthread_t acceptor, clients[CLIENTS];
  setvbuf(stdout, NULL, _IOLBF, 0);
  alarm(60); /* whatever happens, it ends */
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 64) != 0) die("bind");
  getsockname(listener, (struct sockaddr *)&address, &size);
  pthread_create(&acceptor, NULL, listen_to, (void *)(long)listener);
  for (long i = 0; i < CLIENTS; i++) pthread_create(&clients[i], NULL, ask, (void *)i);
  while (switches <= wanted) usleep(1000);
  ended = 1;
  for (int i = 0; i < CLIENTS; i++) pthread_join(clients[i], NULL);
  printf("%lu requests, none failed; the library counted %lu; the longest took %lu us\n", requests, answer_count(),
         longest / 1000);
  return answer_count() == requests ? 0 : 1;
}
