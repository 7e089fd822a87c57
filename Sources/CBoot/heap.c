/* The loader's heap: size classes with free lists, cut from mappings of their own. Small and simple on purpose: what
   is allocated at start-up mostly stays. An update's comparison takes large blocks and gives them back, again and
   again: these are kept until its end (luci_heap_keep), since each would cost page faults anew, and each munmap(2)
   makes the program's own page faults wait. One lock; it is held for a few instructions, and around fork(2)
   (luci_heap_lock). */
#include "CBoot.h"

#define CLASS_COUNT 13                /* 32, 64, … 128 KiB, header included */
#define SMALLEST_SHIFT 5
#define PAGE ((size_t)4096)
#define HUGE_PAGE ((size_t)2 << 20)
#define CHUNK (((size_t)256 << 10) + PAGE)
#define MOST_KEPT ((size_t)64 << 20)  /* bytes of blocks that were given back */

struct block {
  size_t size;                        /* of the whole block; over the classes it has a mapping of its own */
  size_t offset;                      /* from the block's start to what was handed out */
};
struct free_block {
  struct free_block *next;
};
/* The start of each mapping. All are known, so that whoever looks at the process's memory can pass them over. */
struct region {
  struct region *previous, *next;
  size_t size;
  size_t unused;                      /* to a multiple of 16 bytes */
};

static struct free_block *free_lists[CLASS_COUNT];
static char *chunk_next, *chunk_end;
static uint32_t heap_lock;
static struct region *regions;
/* Those of them that were given back, linked by the word behind the region's own. */
static struct region *kept;
static size_t kept_size;
static int keeps = 1;                 /* start-up does, too */

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

/* `size` with the region's own fields. Under the lock. MAP_PRIVATE | MAP_ANONYMOUS and `flags`. */
static char *map_pages(size_t size, long flags) {
  long result = system_call(9, 0, (long)size, 3, 0x22 | flags, -1, 0);
  if (result < 0 && result > -4096) return 0;
  struct region *region = (struct region *)result;
  region->size = size;
  region->next = regions;
  if (regions) regions->previous = region;
  regions = region;
  return (char *)(region + 1);
}

/* An array about to be filled: a fault for each page would take several times as long as MAP_POPULATE does. Very
   large ones may stay partly empty, and get huge pages as they fill, where the system has these for who asks. */
static char *map_large(size_t size) {
  if (size < HUGE_PAGE) return map_pages(size, 0x8000);
  char *start = map_pages(size, 0);
  if (start) system_call(28, (long)((struct region *)start - 1), (long)size, 14 /* MADV_HUGEPAGE */, 0, 0, 0);
  return start;
}

static struct region **next_kept(struct region *region) { return (struct region **)(region + 1); }

/* Out of the list of all; the caller unmaps it when it has let go of the lock. */
static void forget_region(struct region *region) {
  if (region->next) region->next->previous = region->previous;
  if (region->previous)
    region->previous->next = region->next;
  else
    regions = region->next;
}

static void unmap_region(struct region *region) { system_call(11, (long)region, (long)region->size, 0, 0, 0, 0); }

/* The smallest kept one that is large enough and not twice as large. Under the lock. */
static char *take_kept(size_t size) {
  struct region **best = 0;
  for (struct region **place = &kept; *place; place = next_kept(*place))
    if ((*place)->size >= size && (*place)->size / 2 <= size && (!best || (*place)->size < (*best)->size))
      best = place;
  if (!best) return 0;
  struct region *found = *best;
  *best = *next_kept(found);
  kept_size -= found->size;
  return (char *)(found + 1);
}

static void give_back(char *start) {
  struct region *region = (struct region *)start - 1;
  luci_heap_lock();
  int keep = keeps && region->size <= MOST_KEPT - kept_size;
  if (keep) {
    *next_kept(region) = kept;
    kept = region;
    kept_size += region->size;
  } else {
    forget_region(region);
  }
  luci_heap_unlock();
  if (!keep) unmap_region(region);
}

/* 1: work begins that takes and gives back much; 0: it is over. */
void luci_heap_keep(int on) {
  luci_heap_lock();
  keeps = on;
  if (on) return luci_heap_unlock();
  struct region *region = kept;
  kept = 0;
  kept_size = 0;
  for (struct region *each = region; each; each = *next_kept(each)) forget_region(each);
  luci_heap_unlock();
  while (region) {
    struct region *next = *next_kept(region);
    unmap_region(region);
    region = next;
  }
}

/* Start and end of each mapping, as many as `capacity` words hold; the result is how many words it takes. */
long luci_heap_regions(uint64_t *words, long capacity) {
  long count = 0;
  luci_heap_lock();
  for (struct region *region = regions; region; region = region->next, count += 2) {
    if (count + 2 > capacity) continue;
    words[count] = (uint64_t)(uintptr_t)region;
    words[count + 1] = (uint64_t)(uintptr_t)region + region->size;
  }
  luci_heap_unlock();
  return count;
}

static int class_of(size_t size) {
  return size <= (size_t)1 << SMALLEST_SHIFT ? 0 : 64 - SMALLEST_SHIFT - __builtin_clzl(size - 1);
}

static void *take_small(int class) {
  size_t size = (size_t)1 << (class + SMALLEST_SHIFT);
  luci_heap_lock();
  struct free_block *found = free_lists[class];
  if (found) {
    free_lists[class] = found->next;
  } else {
    if ((size_t)(chunk_end - chunk_next) < size) {
      char *chunk = map_pages(CHUNK, 0);
      chunk_next = chunk;
      chunk_end = chunk ? chunk + CHUNK - sizeof(struct region) : 0;
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
    luci_heap_lock();
    size_t pages = (whole + sizeof(struct region) + PAGE - 1) & ~(PAGE - 1);
    start = take_kept(pages);
    if (!start) start = map_large(pages);
    luci_heap_unlock();
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
    give_back(start);
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
