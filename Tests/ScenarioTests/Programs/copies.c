/* Compiled non-PIE: variables of libraries are taken over by copy relocations, and function addresses are the
   executable's PLT entries. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

extern int copied;             /* copied.c */
extern char copied_text[32];
extern int *copied_address(void);
extern int copied_read(void);
extern int copied_function(int);
extern int (*copied_pointer)(int);
extern char **environ;

int main(void) {
  printf("copied %d, read %d, %s\n", copied, copied_read(), copied_address() == &copied ? "one variable" : "two");
  copied = 5;
  printf("copied %d, read %d, text %s\n", copied, copied_read(), copied_text);
  printf("%s\n", copied_pointer == copied_function ? "one function" : "two functions");
  printf("%d\n", copied_pointer(4));
  fprintf(stdout, "stdout is a copy too; environ %s\n", environ != NULL && environ[0] != NULL ? "filled" : "empty");
  return 0;
}
