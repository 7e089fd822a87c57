/* The loader's heap: size classes with free lists, cut from mappings of their own. Small and simple on purpose:
   what is allocated at start-up mostly stays, and the update path allocates little. One lock; it is held for a
   few instructions, and around fork(2) (luci_heap_lock). */
#include "CBoot.h"

#define CLASS_COUNT 13                /* 32, 64, … 128 KiB, header included */
#define SMALLEST_SHIFT 5
#define CHUNK ((size_t)256 << 10)
#define PAGE ((size_t)4096)

struct block {
  size_t size;                        /* of the whole block; over the classes: of the mapping */
  size_t offset;                      /* from the block's start to what was handed out */
};
struct free_block {
  struct free_block *next;
};

static struct free_block *free_lists[CLASS_COUNT];
static char *chunk_next, *chunk_end;
static uint32_t heap_lock;

static long system_call(long number, long a, long b, long c, long d, long e, long f) {
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

/* 0 free, 1 taken, 2 taken and waited for (futex). */
void luci_heap_lock(void) {
  uint32_t state = 0;
  if (__atomic_compare_exchange_n(&heap_lock, &state, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) return;
  while (__atomic_exchange_n(&heap_lock, 2, __ATOMIC_ACQUIRE) != 0)
    system_call(202, (long)&heap_lock, 128 /* FUTEX_WAIT_PRIVATE */, 2, 0, 0, 0);
}

void luci_heap_unlock(void) {
  if (__atomic_exchange_n(&heap_lock, 0, __ATOMIC_RELEASE) == 2)
    system_call(202, (long)&heap_lock, 129 /* FUTEX_WAKE_PRIVATE */, 1, 0, 0, 0);
}

static void *map_pages(size_t size) {
  long result = system_call(9, 0, (long)size, 3, 0x22, -1, 0);
  return result < 0 && result > -4096 ? 0 : (void *)result;
}

static int class_of(size_t size) {
  int class = 0;
  while (((size_t)1 << (class + SMALLEST_SHIFT)) < size) class++;
  return class;
}

static void *take_small(int class) {
  size_t size = (size_t)1 << (class + SMALLEST_SHIFT);
  luci_heap_lock();
  struct free_block *found = free_lists[class];
  if (found) {
    free_lists[class] = found->next;
  } else {
    if ((size_t)(chunk_end - chunk_next) < size) {
      char *chunk = map_pages(CHUNK);
      chunk_next = chunk;
      chunk_end = chunk ? chunk + CHUNK : 0;
    }
    if (chunk_next) {
      found = (struct free_block *)chunk_next;
      chunk_next += size;
    }
  }
  luci_heap_unlock();
  return found;
}

/* Embedded Swift traps on failure to allocate; so does this, with the reason in the crash's address. */
int posix_memalign(void **result, size_t alignment, size_t size) {
  if (alignment < 16) alignment = 16;
  size_t whole = size + sizeof(struct block) + (alignment > 16 ? alignment : 0);
  if (whole < size) return 12;
  char *start;
  if (whole <= ((size_t)1 << (CLASS_COUNT - 1 + SMALLEST_SHIFT))) {
    int class = class_of(whole);
    whole = (size_t)1 << (class + SMALLEST_SHIFT);
    start = take_small(class);
  } else {
    whole = (whole + PAGE - 1) & ~(PAGE - 1);
    start = map_pages(whole);
  }
  if (!start) return 12;
  char *user = (char *)(((uintptr_t)start + sizeof(struct block) + alignment - 1) & ~(alignment - 1));
  struct block *header = (struct block *)user - 1;
  header->size = whole;
  header->offset = (size_t)(user - start);
  *result = user;
  return 0;
}

void free(void *user) {
  if (!user) return;
  struct block header = ((struct block *)user)[-1];
  char *start = (char *)user - header.offset;
  if (header.size > ((size_t)1 << (CLASS_COUNT - 1 + SMALLEST_SHIFT))) {
    system_call(11, (long)start, (long)header.size, 0, 0, 0, 0);
    return;
  }
  int class = class_of(header.size);
  luci_heap_lock();
  ((struct free_block *)start)->next = free_lists[class];
  free_lists[class] = (struct free_block *)start;
  luci_heap_unlock();
}

/* The Swift runtime asks for memory of ordinary alignment under this name. */
void *malloc(size_t size) {
  void *result;
  return posix_memalign(&result, 16, size) ? 0 : result;
}
