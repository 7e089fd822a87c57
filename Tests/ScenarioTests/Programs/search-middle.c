/* Needs libplain.so, without saying where it is. */
extern int value(void);
int middle(void) { return value(); }
