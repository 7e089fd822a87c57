/* A library with thread-local variables; compiled with -DSECOND or -DOPENED it is another one. */
#if defined(SECOND)
static __thread int next = 100;
static __thread int after[20];
int tls2_next(void) { return next++ + after[3]; }
#elif defined(OPENED)
static __thread int value = 1000;
__thread int visible = 2000;
int tls_opened(void) { return value++ + visible++; }
#else
__thread int shared = 11;
static __thread int hidden = 22, other = 33;
int *tls_hidden(void) { return &hidden; }
int tls_sum(void) { return shared + hidden + other++; }
#endif
