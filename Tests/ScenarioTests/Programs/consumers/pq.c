/* pq CONNECTION: asks a PostgreSQL server. */
#include "consumer.h"
typedef struct connection PGconn;
typedef struct result PGresult;
extern PGconn *PQconnectdb(const char *);
extern int PQstatus(const PGconn *);
extern PGresult *PQexecParams(PGconn *, const char *, int, const unsigned *, const char *const *, const int *,
                              const int *, int);
extern int PQresultStatus(const PGresult *), PQntuples(const PGresult *);
extern char *PQgetvalue(const PGresult *, int, int);
extern void PQclear(PGresult *), PQfinish(PGconn *);
extern char *PQerrorMessage(const PGconn *);

static const char *place;

static int prepare(int argc, char **argv) {
  if (argc < 2) return 1;
  place = argv[1];
  PGconn *connection = PQconnectdb(place);
  const int failed = PQstatus(connection) != 0;
  if (failed) fputs(PQerrorMessage(connection), stderr);
  PQfinish(connection);
  return failed;
}

static void let_go(void *context) { PQfinish(context); }

static int use(void **context, unsigned long round) {
  char number[32];
  const char *const values[] = {number};
  if (!*context) *context = PQconnectdb(place);
  snprintf(number, sizeof number, "%lu", round);
  PGresult *result = PQexecParams(
      *context, "select n::text || ' of ' || $1 from generate_series(1, 3) n", 1, NULL, values, NULL, NULL, 0);
  int wrong = PQresultStatus(result) != 2 || PQntuples(result) != 3; /* PGRES_TUPLES_OK */
  for (int i = 0; !wrong && i < 3; i++) {
    char expected[64];
    snprintf(expected, sizeof expected, "%d of %lu", i + 1, round);
    wrong = strcmp(PQgetvalue(result, i, 0), expected) != 0;
  }
  PQclear(result);
  if (round % 500 == 499) {
    PQfinish(*context);
    *context = NULL;
  }
  return wrong;
}
