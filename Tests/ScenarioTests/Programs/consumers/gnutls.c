/* TLS over a pair of sockets, both ends in one thread; anonymous key exchange needs no certificate. */
#include "consumer.h"

#include <fcntl.h>
#include <sys/socket.h>
typedef struct session *gnutls_session_t;
typedef void *credentials;
extern int gnutls_init(gnutls_session_t *, unsigned);
extern void gnutls_deinit(gnutls_session_t);
extern int gnutls_handshake(gnutls_session_t);
extern int gnutls_priority_set_direct(gnutls_session_t, const char *, const char **);
extern int gnutls_credentials_set(gnutls_session_t, int, void *);
extern int gnutls_anon_allocate_server_credentials(credentials *);
extern int gnutls_anon_allocate_client_credentials(credentials *);
extern int gnutls_anon_set_server_known_dh_params(credentials, int);
extern void gnutls_transport_set_int2(gnutls_session_t, int, int);
extern void gnutls_transport_get_int2(gnutls_session_t, int *, int *);
extern ssize_t gnutls_record_send(gnutls_session_t, const void *, size_t);
extern ssize_t gnutls_record_recv(gnutls_session_t, void *, size_t);

static credentials server_credentials, client_credentials;
static const char priority[] = "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+ANON-ECDH";

static int prepare(int argc, char **argv) {
  (void)argc, (void)argv;
  return gnutls_anon_allocate_server_credentials(&server_credentials) != 0 ||
         gnutls_anon_allocate_client_credentials(&client_credentials) != 0;
}

struct pair {
  gnutls_session_t server, client;
};

/* GNUTLS_SERVER, GNUTLS_CLIENT; GNUTLS_CRD_ANON; not blocking */
static gnutls_session_t session(int is_server, int socket) {
  gnutls_session_t session;
  if (gnutls_init(&session, (is_server ? 1 : 2) | 8) != 0) return NULL;
  gnutls_priority_set_direct(session, priority, NULL);
  gnutls_credentials_set(session, 2, is_server ? server_credentials : client_credentials);
  gnutls_transport_set_int2(session, socket, socket);
  fcntl(socket, F_SETFL, O_NONBLOCK);
  return session;
}

static struct pair *connection(void) {
  static __thread int sockets[2];
  struct pair *pair = malloc(sizeof *pair);
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) != 0) return NULL;
  pair->server = session(1, sockets[0]);
  pair->client = session(0, sockets[1]);
  for (int steps = 0, server = -28, client = -28; server != 0 || client != 0; steps++) { /* GNUTLS_E_AGAIN */
    if (client != 0) client = gnutls_handshake(pair->client);
    if (server != 0) server = gnutls_handshake(pair->server);
    if (steps == 1000 || (client != 0 && client != -28) || (server != 0 && server != -28)) return NULL;
  }
  return pair;
}

static void end(struct pair *pair) {
  for (int i = 0, in, out; i < 2; i++) {
    gnutls_session_t session = i == 0 ? pair->server : pair->client;
    gnutls_transport_get_int2(session, &in, &out);
    gnutls_deinit(session);
    close(in);
  }
  free(pair);
}

static void let_go(void *context) { end(context); }

static int use(void **context, unsigned long round) {
  char text[64], got[64] = "";
  /* A connection that lives on, and one for the moment. */
  if (!*context && !(*context = connection())) return 1;
  struct pair *pairs[2] = {*context, round % 8 == 0 ? connection() : NULL};
  int wrong = round % 8 == 0 && !pairs[1];
  for (int i = 0; i < 2; i++) {
    if (!pairs[i]) continue;
    const int size = snprintf(text, sizeof text, "record %lu", round) + 1;
    wrong |= gnutls_record_send(pairs[i]->client, text, (size_t)size) != size;
    wrong |= gnutls_record_recv(pairs[i]->server, got, sizeof got) != size || strcmp(text, got) != 0;
  }
  if (pairs[1]) end(pairs[1]);
  return wrong;
}
