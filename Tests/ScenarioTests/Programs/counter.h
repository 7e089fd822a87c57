#ifndef COUNTER_THREADS
#define COUNTER_THREADS 16
#endif
#ifndef VERSION
#define VERSION "one"
#endif
#ifndef FIRST
#define FIRST 0
#endif

struct counter_answer {
  const char *version;
  unsigned long count; /* of all threads */
  unsigned long own;   /* of this thread */
};

struct counter_answer counter_add(unsigned thread);
unsigned long counter_value(void);
