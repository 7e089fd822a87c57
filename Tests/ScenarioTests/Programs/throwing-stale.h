#ifndef VERSION
#define VERSION 1
#endif
int pass(void (*inner)(), int &cleaned);
