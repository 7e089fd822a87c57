/* The symbols that compiled C and Embedded Swift refer to. Freestanding: nothing of the program's C library. */
#include "CBoot.h"

void *memcpy(void *restrict to, const void *restrict from, size_t count) {
  void *result = to;
  __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
  return result;
}

void *memmove(void *to, const void *from, size_t count) {
  if ((uintptr_t)to - (uintptr_t)from >= count) return memcpy(to, from, count);
  char *t = (char *)to + count;
  const char *f = (const char *)from + count;
  while (count >= 8) {
    count -= 8, t -= 8, f -= 8;
    uint64_t word;
    __builtin_memcpy(&word, f, 8);
    __builtin_memcpy(t, &word, 8);
  }
  while (count--) *--t = *--f;
  return to;
}

void *memset(void *to, int value, size_t count) {
  void *result = to;
  __asm__ volatile("rep stosb" : "+D"(to), "+c"(count) : "a"(value) : "memory");
  return result;
}

int memcmp(const void *left, const void *right, size_t count) {
  const unsigned char *l = left, *r = right;
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
