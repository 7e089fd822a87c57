/* Interposition, weak, indirect and protected functions, and lazily bound calls. */
#include <stdio.h>
#include <stdlib.h>

extern int library_asks(void);      /* calls interposed() of whoever comes first */
extern int library_protected(void); /* calls a protected function of its own */
extern int indirect(void);          /* IFUNC of the library */
extern int absent(void) __attribute__((weak));
extern int (*library_pointer(void))(void);
static int own(void) { return 77; }
static int (*resolve(void))(void) { return own; }
int own_indirect(void) __attribute__((ifunc("resolve")));

int interposed(void) { return 2; }
int protected_function(void) { return 2; }

int main(void) {
  printf("interposed %d\n", library_asks());
  printf("protected %d\n", library_protected());
  printf("indirect %d, own %d\n", indirect(), own_indirect());
  printf("weak %s\n", absent == NULL ? "null" : "there");
  printf("pointer %s\n", library_pointer() == interposed ? "to the executable's" : "to another");
  return 0;
}
