#ifndef VERSION
#define VERSION "one"
#endif
const char *stale_version(void);
const char *stale_callback(void);
unsigned long stale_loop(volatile int *stop);
const char *stale_around(void (*inner)(void));
