/* A small library with every kind of table, whose file is then damaged. It has no constructor of its own. */
#include <stdio.h>
#include <stdlib.h>

__thread int hostile_variable = 3;
static __thread int hidden = 4;
int hostile_data[4] = {1, 2, 3, 4};
int *hostile_pointer = &hostile_data[2];
static const char *names[] = {"one", "two", "three"};
int (*hostile_function)(const char *) = puts;

int hostile_other(int value) { return value + hostile_data[1]; }

int hostile_call(int value) {
  char *end;
  return hostile_other(value) + *hostile_pointer + hostile_variable++ + hidden++ + names[value & 1][0] +
         (int)strtol("12", &end, 10);
}
