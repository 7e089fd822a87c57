/* Points that bounce: they have a speed, too. */
#include <luci.h>
#include <stdio.h>
#include <stdlib.h>

#include "points.h"

struct point {
  long x, y, speed;
};
static struct point *points;
static unsigned long frames;

__attribute__((constructor)) static void make(void) {
  points = calloc(3, sizeof *points);
  for (int i = 0; i < 3; i++) points[i].speed = i + 1;
}

unsigned long points_move(void) {
  for (int i = 0; i < 3; i++) {
    points[i].y += points[i].speed;
    if (points[i].y > 10 || points[i].y < 0) points[i].speed = -points[i].speed;
  }
  return ++frames;
}

const char *points_describe(void) {
  static char text[128];
  snprintf(text, sizeof text, "bouncing: %ld,%ld %ld,%ld %ld,%ld", points[0].x, points[0].y, points[1].x, points[1].y,
           points[2].x, points[2].y);
  return text;
}

void __luci_deserialize(void *state) {
  if (state)
    sscanf(state, "%lu %ld %ld %ld %ld %ld %ld", &frames, &points[0].x, &points[0].y, &points[1].x, &points[1].y,
           &points[2].x, &points[2].y);
  free(state);
}
