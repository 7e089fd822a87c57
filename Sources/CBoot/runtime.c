/* The symbols that compiled C and Embedded Swift refer to. Freestanding: nothing of the program's C library. */
#include "CBoot.h"

/* From here on the processor's string instructions, which take some time to get going, are the faster ones. */
#define LONG ((size_t)512)

static inline __attribute__((always_inline)) void move8(void *to, const void *from) { __builtin_memcpy(to, from, 8); }
static inline __attribute__((always_inline)) void move16(void *to, const void *from) {
  __builtin_memcpy(to, from, 16);
}

void *memcpy(void *restrict to, const void *restrict from, size_t count) {
  char *t = to;
  const char *f = from;
  if (count >= LONG) {
    void *target = to;
    __asm__ volatile("rep movsb" : "+D"(target), "+S"(from), "+c"(count) : : "memory");
    return to;
  }
  /* The ends may overlap each other. */
  if (count >= 16) {
    for (size_t done = 0; done < count - 16; done += 16) move16(t + done, f + done);
    move16(t + count - 16, f + count - 16);
  } else if (count >= 8) {
    move8(t, f);
    move8(t + count - 8, f + count - 8);
  } else {
    for (; count; count--) *t++ = *f++;
  }
  return to;
}

void *memmove(void *to, const void *from, size_t count) {
  if ((uintptr_t)to - (uintptr_t)from >= count) {
    /* Upwards nothing is overwritten that is still to be read, in steps of a word. */
    if ((uintptr_t)from - (uintptr_t)to >= count) return memcpy(to, from, count);
    char *t = to;
    const char *f = from;
    for (; count >= 8; count -= 8, t += 8, f += 8) {
      uint64_t word;
      move8(&word, f);
      move8(t, &word);
    }
    while (count--) *t++ = *f++;
    return to;
  }
  char *t = (char *)to + count;
  const char *f = (const char *)from + count;
  while (count >= 8) {
    count -= 8, t -= 8, f -= 8;
    uint64_t word;
    move8(&word, f);
    move8(t, &word);
  }
  while (count--) *--t = *--f;
  return to;
}

void *memset(void *to, int value, size_t count) {
  char *t = to;
  if (count >= LONG) {
    void *target = to;
    __asm__ volatile("rep stosb" : "+D"(target), "+c"(count) : "a"(value) : "memory");
    return to;
  }
  const uint64_t word = 0x0101010101010101 * (uint8_t)value;
  for (; count >= 8; count -= 8, t += 8) move8(t, &word);
  while (count--) *t++ = (char)value;
  return to;
}

int memcmp(const void *left, const void *right, size_t count) {
  const unsigned char *l = left, *r = right;
  for (; count >= 8; count -= 8, l += 8, r += 8) {
    uint64_t a, b;
    move8(&a, l);
    move8(&b, r);
    if (a != b) break;
  }
  for (; count; count--, l++, r++)
    if (*l != *r) return *l - *r;
  return 0;
}

size_t strlen(const char *string) {
  size_t length = 0;
  while (string[length]) length++;
  return length;
}

/* Seeds of the standard library's hash tables: AT_RANDOM would do, but the kernel's generator is as near. */
void arc4random_buf(void *to, size_t count) {
  long result;
  register long flags __asm__("rdx") = 1; /* GRND_NONBLOCK */
  __asm__ volatile("syscall" : "=a"(result) : "a"(318L), "D"(to), "S"(count), "r"(flags) : "rcx", "r11", "memory");
  if (result != (long)count) memset(to, 0x5a, count);
}

/* Capacity of hash tables; never negative, far below 2^53. */
double ceil(double value) {
  double whole = (double)(long)value;
  return whole < value ? whole + 1 : whole;
}

int putchar(int character) { return character; }
