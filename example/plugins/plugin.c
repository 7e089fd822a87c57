/* A plugin: says what it makes of a number. GREETING and FACTOR differ from version to version; MORE is other state. */
static unsigned long uses;
#ifdef MORE
static unsigned long more[16] = {1};
#endif

const char *plugin_name(void) { return GREETING; }

long plugin_apply(long number) {
  uses++;
#ifdef MORE
  more[uses % 16]++;
#endif
  return number * FACTOR;
}

unsigned long plugin_uses(void) { return uses; }
