/* A service that answers one question of LD_DEBUG_HASH with what it is told to, and prints the question.
   service KIND SOCKET ANSWERS: KIND is unix, tcp, tcp6 or udp. Prints its address first. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void fail(const char *what) {
  perror(what);
  exit(1);
}

int main(int count, char **arguments) {
  if (count != 4) return 2;
  const char *kind = arguments[1], *answers = arguments[3];
  union {
    struct sockaddr any;
    struct sockaddr_un local;
    struct sockaddr_in four;
    struct sockaddr_in6 six;
  } address = {0};
  socklen_t size;
  int isDatagram = !strcmp(kind, "udp");
  if (!strcmp(kind, "unix")) {
    address.local.sun_family = AF_UNIX;
    strncpy(address.local.sun_path, arguments[2], sizeof address.local.sun_path - 1);
    size = sizeof address.local;
  } else if (!strcmp(kind, "tcp6")) {
    address.six.sin6_family = AF_INET6;
    address.six.sin6_addr = in6addr_loopback;
    size = sizeof address.six;
  } else {
    address.four.sin_family = AF_INET;
    address.four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    size = sizeof address.four;
  }
  int listener = socket(address.any.sa_family, isDatagram ? SOCK_DGRAM : SOCK_STREAM, 0);
  if (listener < 0 || bind(listener, &address.any, size)) fail("bind");
  if (!isDatagram && listen(listener, 1)) fail("listen");
  getsockname(listener, &address.any, &size);
  if (!strcmp(kind, "unix"))
    printf("unix:%s\n", arguments[2]);
  else
    printf("%s:%s:%d\n", isDatagram ? "udp" : "tcp", address.any.sa_family == AF_INET6 ? "[::1]" : "127.0.0.1",
           ntohs(address.four.sin_port));
  fflush(stdout);
  char request[512];
  ssize_t length;
  if (isDatagram) {
    length = recvfrom(listener, request, sizeof request, 0, &address.any, &size);
    sendto(listener, answers, strlen(answers), 0, &address.any, size);
  } else {
    int client = accept(listener, NULL, NULL);
    if (client < 0) fail("accept");
    length = read(client, request, sizeof request);
    if (*answers)
      write(client, answers, strlen(answers));
    else
      /* Until the other side gives up. */
      while (read(client, request + length, sizeof request - length) > 0) continue;
  }
  if (length > 0) fwrite(request, 1, length, stdout);
  return 0;
}
