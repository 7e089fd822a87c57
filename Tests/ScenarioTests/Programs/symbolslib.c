int interposed(void) { return 1; }
__attribute__((visibility("protected"))) int protected_function(void) { return 1; }
int library_asks(void) { return interposed(); }
int library_protected(void) { return protected_function(); }
static int chosen(void) { return 5; }
static int (*choose(void))(void) { return chosen; }
int indirect(void) __attribute__((ifunc("choose")));
int (*library_pointer(void))(void) { return interposed; }
