/* curl URL VERSION [each]: fetches a file of known content; VERSION is libcurl's number for the protocol. With a handle
   for each request, or one for all. */
#include "consumer.h"
typedef void CURL;
extern int curl_global_init(long);
extern CURL *curl_easy_init(void);
extern int curl_easy_setopt(CURL *, int, ...);
extern void curl_easy_cleanup(CURL *);
extern int curl_easy_perform(CURL *);
extern int curl_easy_getinfo(CURL *, int, ...);

static const char *url;
static long version;
static int each;

static int prepare(int argc, char **argv) {
  if (argc < 3) return 1;
  url = argv[1];
  version = atol(argv[2]);
  each = argc > 3;
  return curl_global_init(3);
}

struct body {
  size_t size;
  unsigned long sum;
};

static size_t take(char *bytes, size_t size, size_t count, void *argument) {
  struct body *body = argument;
  body->size += size * count;
  for (size_t i = 0; i < size * count; i++) body->sum += (unsigned char)bytes[i];
  return size * count;
}

static void let_go(void *context) { curl_easy_cleanup(context); }

static int use(void **context, unsigned long round) {
  struct body body = {0};
  long code = 0;
  (void)round;
  /* A handle that lives on keeps its connection. */
  if (!*context && !(*context = curl_easy_init())) return 1;
  CURL *curl = *context;
  curl_easy_setopt(curl, 10002, url);           /* CURLOPT_URL */
  curl_easy_setopt(curl, 84, version);          /* CURLOPT_HTTP_VERSION */
  curl_easy_setopt(curl, 99, 1L);               /* CURLOPT_NOSIGNAL */
  curl_easy_setopt(curl, 64, 0L);               /* CURLOPT_SSL_VERIFYPEER */
  curl_easy_setopt(curl, 81, 0L);               /* CURLOPT_SSL_VERIFYHOST */
  curl_easy_setopt(curl, 20011, take);          /* CURLOPT_WRITEFUNCTION */
  curl_easy_setopt(curl, 10001, (void *)&body); /* CURLOPT_WRITEDATA */
  const int error = curl_easy_perform(curl);
  curl_easy_getinfo(curl, 0x200002, &code); /* CURLINFO_RESPONSE_CODE */
  if (each) {
    curl_easy_cleanup(curl);
    *context = NULL;
  }
  if (error != 0) return 1;
  return code != 200 || body.size != 10000 || body.sum != 10000ul * 'x';
}
