static int count = 0;
static __thread int own;
int reopened_next(void) { return ++own + count++; }
const char *reopened_version(void) { return VERSION; }
