#include "consumer.h"
/* The simplified interface of libpng 1.6: png_image of png.h. */
struct image {
  void *opaque;
  unsigned version, width, height, format, flags, colormap_entries, warning_or_error;
  char message[64];
};
extern int png_image_write_to_memory(struct image *, void *, size_t *, int, const void *, int, const void *);
extern int png_image_begin_read_from_memory(struct image *, const void *, size_t);
extern int png_image_finish_read(struct image *, const void *, void *, int, void *);
extern void png_image_free(struct image *);

enum { WIDTH = 40, HEIGHT = 30 };

static int prepare(int argc, char **argv) {
  (void)argc, (void)argv;
  return 0;
}

static void let_go(void *context) { (void)context; }

static int use(void **context, unsigned long round) {
  static __thread unsigned char pixels[WIDTH * HEIGHT * 4], again[sizeof pixels], file[2 * sizeof pixels];
  struct image image = {.version = 1, .width = WIDTH, .height = HEIGHT, .format = 3 /* PNG_FORMAT_RGBA */};
  size_t size = sizeof file;
  (void)context;
  for (unsigned i = 0; i < sizeof pixels; i++) pixels[i] = (unsigned char)(i * 7 + round * (i % 13));
  if (!png_image_write_to_memory(&image, file, &size, 0, pixels, 0, NULL)) return 1;
  memset(&image, 0, sizeof image);
  image.version = 1;
  if (!png_image_begin_read_from_memory(&image, file, size)) return 1;
  image.format = 3;
  if (!png_image_finish_read(&image, NULL, again, 0, NULL)) return 1;
  png_image_free(&image);
  return memcmp(pixels, again, sizeof pixels) != 0;
}
