/* A table of functions that libmethods gives away. */
struct methods {
  const char *name;
  long (*first)(long);
  long (*second)(long);
};

struct methods *methods_get(void);
/* -1: there is no second function. */
long methods_second(const struct methods *table, long x);
