/* A plugin: says what it makes of a number. GREETING and FACTOR differ from version to version; with MORE its state
   begins otherwise. */
#ifdef MORE
#define LIMIT 5
#else
#define LIMIT 1000000
#endif
static unsigned long uses, left = LIMIT;

const char *plugin_name(void) { return GREETING; }

long plugin_apply(long number) {
  if (left > 0) {
    left--;
    uses++;
  }
  return number * FACTOR;
}

unsigned long plugin_uses(void) { return uses; }
