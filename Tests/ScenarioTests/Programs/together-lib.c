/* NAME is a, which needs b; b; or d, which needs neither; pre, to be preloaded. VERSION is a text. */
#define JOIN(x, y) x##y
#define FUNCTION(name) JOIN(name, _version)
#ifdef NEEDS_B
extern const char *b_version(void);
const char *b_through_a(void) { return b_version(); }
#endif
static int calls = FIRST;
const char *FUNCTION(NAME)(void) { return calls++ >= 0 ? VERSION : "wrong"; }
