/* An allocator that takes nothing back that is not its own. */
#define _GNU_SOURCE
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct block {
  uint64_t mark, size;
};

enum { MARK = 0x1dea5 };

static _Thread_local char *next, *end;

void *malloc(size_t size) {
  size = ((size + 15) & ~(size_t)15) + sizeof(struct block);
  if ((size_t)(end - next) < size) {
    const size_t whole = size > 1 << 20 ? size : 1 << 20;
    next = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    end = next + whole;
  }
  struct block *block = (struct block *)next;
  *block = (struct block){MARK, size - sizeof *block};
  next += size;
  return block + 1;
}

static struct block *own(void *memory) {
  struct block *block = (struct block *)memory - 1;
  static const char text[] = "not from this allocator\n";
  if (block->mark == MARK) return block;
  if (write(2, text, sizeof text - 1) < 0) _exit(98);
  _exit(99);
}

void free(void *memory) {
  if (memory != NULL) own(memory)->mark = MARK;
}

void *calloc(size_t count, size_t size) { return malloc(count * size); }

void *realloc(void *memory, size_t size) {
  void *result = malloc(size);
  if (memory != NULL) {
    const size_t old = own(memory)->size;
    memcpy(result, memory, old < size ? old : size);
  }
  return result;
}
