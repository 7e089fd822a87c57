int many_version(void);
/* How often this thread has put something. */
unsigned long many_put(unsigned long value);
unsigned long many_take(void);
/* How often the once-control ran. */
unsigned long many_made(void);
