/* ssh: sessions and keys. With SFTP or SFTP_BY_NAME it could transfer files, too. */
#include "consumer.h"
#include <dlfcn.h>
typedef struct session *ssh_session;
typedef struct key *ssh_key;
extern int ssh_init(void);
extern ssh_session ssh_new(void);
extern void ssh_free(ssh_session);
extern int ssh_options_set(ssh_session, int, const void *);
extern int ssh_options_get_port(ssh_session, unsigned *);
extern int ssh_pki_generate(int, int, ssh_key *);
extern int ssh_pki_export_privkey_base64(ssh_key, const char *, void *, void *, char **);
extern int ssh_pki_import_privkey_base64(const char *, const char *, void *, void *, ssh_key *);
extern int ssh_key_cmp(ssh_key, ssh_key, int);
extern void ssh_key_free(ssh_key);
extern void ssh_string_free_char(char *);

#ifdef SFTP
extern void *sftp_new(ssh_session);
void *(*volatile transfer)(ssh_session) = sftp_new;
#else
void *(*volatile transfer)(ssh_session);
#endif

static int prepare(int argc, char **argv) {
  (void)argc, (void)argv;
#ifdef SFTP_BY_NAME
  transfer = (void *(*)(ssh_session))dlsym(RTLD_DEFAULT, "sftp_new");
  if (!transfer) return 1;
#endif
  return ssh_init();
}

static void let_go(void *context) { ssh_free(context); }

static int use(void **context, unsigned long round) {
  unsigned port = (unsigned)(round % 60000 + 1), seen = 0;
  ssh_key key = NULL, again = NULL;
  char *text = NULL;
  /* A session that lives on from round to round. */
  if (!*context && !(*context = ssh_new())) return 1;
  ssh_session session = *context;
  /* SSH_OPTIONS_PORT, SSH_OPTIONS_HOST */
  if (ssh_options_set(session, 1, &port) != 0 || ssh_options_set(session, 0, "localhost") != 0) return 1;
  if (ssh_options_get_port(session, &seen) != 0 || seen != port) return 1;
  /* SSH_KEYTYPE_ED25519 */
  if (ssh_pki_generate(5, 0, &key) != 0 || ssh_pki_export_privkey_base64(key, NULL, NULL, NULL, &text) != 0) return 1;
  const int wrong = ssh_pki_import_privkey_base64(text, NULL, NULL, NULL, &again) != 0 || ssh_key_cmp(key, again, 1) != 0;
  ssh_string_free_char(text);
  ssh_key_free(key);
  ssh_key_free(again);
  return wrong;
}
