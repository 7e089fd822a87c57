/* Points that go on straight. */
#include <luci.h>
#include <stdio.h>
#include <stdlib.h>

#include "points.h"

static struct {
  int x, y;
} points[3] = {{0, 0}, {1, 1}, {2, 4}};
static unsigned long frames;

unsigned long points_move(void) {
  for (int i = 0; i < 3; i++) points[i].x++;
  return ++frames;
}

const char *points_describe(void) {
  static char text[128];
  snprintf(text, sizeof text, "straight: %d,%d %d,%d %d,%d", points[0].x, points[0].y, points[1].x, points[1].y,
           points[2].x, points[2].y);
  return text;
}

/* A text is understood by every later version, whatever its structures are. */
void *__luci_serialize(int affected) {
  char *text = NULL;
  if (affected && asprintf(&text, "%lu %d %d %d %d %d %d", frames, points[0].x, points[0].y, points[1].x, points[1].y,
                           points[2].x, points[2].y) < 0)
    return NULL;
  return text;
}
