#ifndef VERSION
#define VERSION "one"
#endif
unsigned long hammer_a(unsigned long), hammer_b(unsigned long), hammer_c(unsigned long), hammer_d(unsigned long);
const char *hammer_version(void);
