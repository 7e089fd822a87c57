/* main FRAMES: draws every 50th frame, and ends so many frames after an update, or without one after four times as
   many. */
#include <luci.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "points.h"

int main(int argc, char **argv) {
  const unsigned long wanted = argc > 1 ? strtoul(argv[1], NULL, 10) : 100;
  unsigned long end = 4 * wanted, frame = 0;
  setvbuf(stdout, NULL, _IOLBF, 0);
  puts(__luci_update ? "updates come between two frames" : "this loader makes no updates");
  while (frame < end) {
    /* Here no function of the library is at work. */
    if (luci_update()) {
      printf("updated after frame %lu\n", frame);
      end = frame + wanted;
    }
    if (points_move() != ++frame) {
      printf("wrong: the library has lost count in frame %lu\n", frame);
      return 1;
    }
    if (frame % 50 == 0) printf("frame %lu, %s\n", frame, points_describe());
    usleep(5000);
  }
  return 0;
}
