int steady_value = 1;
static int count;
static __thread int own;
int steady_next(void) { return ++count; }
int steady_found(void) { return ++count; }
int steady_own(void) { return ++own; }
