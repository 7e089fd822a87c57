/* Its reference to malloc is made one that a loader can't follow. */
#include <stdlib.h>

int own = 3;
int *pointer = &own;
void *other = malloc;

int value(void) { return *pointer; }
