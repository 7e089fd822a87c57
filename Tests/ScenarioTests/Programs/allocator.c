/* An allocator of its own that never gives back: sizes lie before what is handed out. */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>

static _Thread_local char *next, *end;

void *malloc(size_t size) {
  size = (size + 31) & ~(size_t)15;
  if ((size_t)(end - next) < size) {
    const size_t whole = size > 1 << 20 ? size : 1 << 20;
    next = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    end = next + whole;
  }
  char *result = next + 16;
  *(size_t *)next = size - 16;
  next += size;
  return result;
}

void free(void *memory) { (void)memory; }

void *calloc(size_t count, size_t size) { return malloc(count * size); }

void *realloc(void *memory, size_t size) {
  void *result = malloc(size);
  if (memory != NULL) {
    const size_t old = *(size_t *)((char *)memory - 16);
    memcpy(result, memory, old < size ? old : size);
  }
  return result;
}
