/* -DLIBRARY: a library with a weak or a strong definition of one function. */
#include <stdio.h>
#ifdef LIBRARY
LINKAGE int weak_value(void) { return VALUE; }
#else
extern int weak_value(void);
int main(void) { printf("%d\n", weak_value()); }
#endif
