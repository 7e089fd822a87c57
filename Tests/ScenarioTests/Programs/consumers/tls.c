/* tls KEY CERTIFICATE: an HTTPS-like server and clients over loopback, with libssl. Each client keeps a connection open
   for many requests, and now and then makes a new one; the server has a thread for each. */
#define THREADS 4
#include "consumer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
typedef struct ctx SSL_CTX;
typedef struct ssl SSL;
extern const void *TLS_server_method(void), *TLS_client_method(void);
extern SSL_CTX *SSL_CTX_new(const void *);
extern int SSL_CTX_use_certificate_file(SSL_CTX *, const char *, int);
extern int SSL_CTX_use_PrivateKey_file(SSL_CTX *, const char *, int);
extern SSL *SSL_new(SSL_CTX *);
extern void SSL_free(SSL *);
extern int SSL_set_fd(SSL *, int), SSL_accept(SSL *), SSL_connect(SSL *), SSL_shutdown(SSL *);
extern int SSL_read(SSL *, void *, int), SSL_write(SSL *, const void *, int);

static SSL_CTX *server_context, *client_context;
static struct sockaddr_in address = {.sin_family = AF_INET};

static void *serve(void *argument) {
  const int connection = (int)(long)argument;
  SSL *ssl = SSL_new(server_context);
  char request[256];
  SSL_set_fd(ssl, connection);
  if (SSL_accept(ssl) == 1) {
    for (int size; (size = SSL_read(ssl, request, sizeof request)) > 0;) {
      for (int i = 0; i < size; i++) request[i] ^= 1;
      if (SSL_write(ssl, request, size) != size) break;
    }
  }
  SSL_free(ssl);
  close(connection);
  return NULL;
}

static void *listen_to(void *argument) {
  for (;;) {
    const int connection = accept((int)(long)argument, NULL, NULL);
    pthread_t thread;
    if (connection < 0 || pthread_create(&thread, NULL, serve, (void *)(long)connection) != 0) return NULL;
    pthread_detach(thread);
  }
}

static int prepare(int argc, char **argv) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  socklen_t size = sizeof address;
  pthread_t thread;
  if (argc < 3) return 1;
  server_context = SSL_CTX_new(TLS_server_method());
  client_context = SSL_CTX_new(TLS_client_method());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  /* SSL_FILETYPE_PEM */
  return SSL_CTX_use_certificate_file(server_context, argv[2], 1) != 1 ||
         SSL_CTX_use_PrivateKey_file(server_context, argv[1], 1) != 1 ||
         bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 64) != 0 ||
         getsockname(listener, (struct sockaddr *)&address, &size) != 0 ||
         pthread_create(&thread, NULL, listen_to, (void *)(long)listener) != 0;
}

struct client {
  SSL *ssl;
  int socket;
};

static void let_go(void *context) {
  struct client *client = context;
  SSL_shutdown(client->ssl);
  SSL_free(client->ssl);
  close(client->socket);
  free(client);
}

static int use(void **context, unsigned long round) {
  struct client *client = *context;
  char request[64], answer[64];
  if (!client) {
    client = *context = malloc(sizeof *client);
    client->socket = socket(AF_INET, SOCK_STREAM, 0);
    client->ssl = SSL_new(client_context);
    SSL_set_fd(client->ssl, client->socket);
    if (connect(client->socket, (struct sockaddr *)&address, sizeof address) != 0 || SSL_connect(client->ssl) != 1)
      return 1;
  }
  const int size = snprintf(request, sizeof request, "request %lu", round);
  int wrong = SSL_write(client->ssl, request, size) != size || SSL_read(client->ssl, answer, sizeof answer) != size;
  for (int i = 0; i < size; i++) wrong |= (answer[i] ^ 1) != request[i];
  if (wrong || round % 100 == 99) {
    let_go(client);
    *context = NULL;
  }
  return wrong;
}
