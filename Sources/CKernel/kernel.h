/* The kernel's and the ELF format's own definitions, and system calls that inline into Swift.
   Every call returns what the kernel returns: a result, or -errno. Nothing here touches errno. */
#pragma once

#include <elf.h>
#include <stddef.h>
#include <stdint.h>

#include <asm/prctl.h>
#include <asm/unistd.h>
#include <linux/auxvec.h>
#include <linux/errno.h>
/* The kernel's definitions of these are written otherwise than the C library's, which makes them two different types
   of one name where hosted tests see both. Nothing uses them. */
#define flock kernel_flock
#define timespec kernel_timespec
#define timeval kernel_timeval
#define itimerspec kernel_itimerspec
#define itimerval kernel_itimerval
#include <linux/fcntl.h>
#include <linux/futex.h>
#include <linux/inotify.h>
#include <linux/memfd.h>
#include <linux/mman.h>
#include <linux/mount.h>
#include <linux/poll.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/stat.h>
#include <linux/time.h>
#undef flock
#undef timespec
#undef timeval
#undef itimerspec
#undef itimerval

#define LUCI_INLINE static inline __attribute__((always_inline))

LUCI_INLINE long luci_syscall6(long number, long a, long b, long c, long d, long e, long f) {
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}
LUCI_INLINE long luci_syscall4(long number, long a, long b, long c, long d) {
  return luci_syscall6(number, a, b, c, d, 0, 0);
}
LUCI_INLINE long luci_syscall3(long number, long a, long b, long c) {
  return luci_syscall6(number, a, b, c, 0, 0, 0);
}
LUCI_INLINE long luci_syscall2(long number, long a, long b) { return luci_syscall3(number, a, b, 0); }
LUCI_INLINE long luci_syscall1(long number, long a) { return luci_syscall3(number, a, 0, 0); }
LUCI_INLINE long luci_syscall0(long number) { return luci_syscall3(number, 0, 0, 0); }

/* One aligned 8-byte store that other threads see whole: how every slot changes (docs/updates.md). */
LUCI_INLINE void luci_store_release(uint64_t *slot, uint64_t value) {
  __atomic_store_n(slot, value, __ATOMIC_RELEASE);
}
LUCI_INLINE uint64_t luci_load_acquire(const uint64_t *slot) { return __atomic_load_n(slot, __ATOMIC_ACQUIRE); }
LUCI_INLINE uint32_t luci_load_acquire32(const uint32_t *word) { return __atomic_load_n(word, __ATOMIC_ACQUIRE); }
LUCI_INLINE void luci_store_release32(uint32_t *word, uint32_t value) {
  __atomic_store_n(word, value, __ATOMIC_RELEASE);
}
/* Stores `desired` if the word still is `expected`; returns what the word was. */
LUCI_INLINE uint32_t luci_compare_exchange32(uint32_t *word, uint32_t expected, uint32_t desired) {
  __atomic_compare_exchange_n(word, &expected, desired, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
  return expected;
}
LUCI_INLINE uint64_t luci_compare_exchange(uint64_t *slot, uint64_t expected, uint64_t desired) {
  __atomic_compare_exchange_n(slot, &expected, desired, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
  return expected;
}
/* Adds, modulo 2^32; returns the sum. A full barrier. */
LUCI_INLINE uint32_t luci_add32(uint32_t *word, uint32_t value) {
  return __atomic_add_fetch(word, value, __ATOMIC_SEQ_CST);
}
LUCI_INLINE uint32_t luci_exchange32(uint32_t *word, uint32_t desired) {
  return __atomic_exchange_n(word, desired, __ATOMIC_ACQ_REL);
}

/* Has the cache line of an address fetched, if there is memory. */
LUCI_INLINE void luci_prefetch(uint64_t address) { __builtin_prefetch((const void *)address); }

/* linux/stat.h has struct statx; struct stat of the C library is not used anywhere. */

/* Entry of getdents64(2); the kernel's headers do not export it. */
struct luci_dirent64 {
  uint64_t d_ino;
  int64_t d_off;
  uint16_t d_reclen;
  uint8_t d_type;
  char d_name[];
};

LUCI_INLINE void luci_cpuid(uint32_t leaf, uint32_t *b, uint32_t *c, uint32_t *d) {
  uint32_t a = leaf;
  *c = 0;
  __asm__ volatile("cpuid" : "+a"(a), "=b"(*b), "+c"(*c), "=d"(*d));
}

/* Whether valgrind runs this process: its request RUNNING_ON_VALGRIND (0x1001), as instructions that do nothing on a
   processor (valgrind's manual, "The Client Request mechanism"). */
LUCI_INLINE int luci_on_valgrind(void) {
  const volatile uint64_t request[6] = {0x1001, 0, 0, 0, 0, 0};
  uint64_t result = 0;
  __asm__ volatile("rolq $3, %%rdi\n\trolq $13, %%rdi\n\trolq $61, %%rdi\n\trolq $51, %%rdi\n\txchgq %%rbx, %%rbx"
                   : "+d"(result)
                   : "a"(request)
                   : "cc", "memory");
  return result != 0;
}

/* The word at the thread pointer: its own address, in every C library (psABI, "Thread-Local Storage", variant II). */
LUCI_INLINE uintptr_t luci_thread_block(void) {
  uintptr_t block;
  __asm__ volatile("movq %%fs:0, %0" : "=r"(block));
  return block;
}

/* The micro-architecture level of the x86-64 psABI, 1 to 4: what processor and kernel together allow. */
LUCI_INLINE int luci_processor_level(void) {
  /* SSE3 SSSE3 CX16 SSE4.1 SSE4.2 POPCNT */
  const uint32_t v2 = 1u << 0 | 1u << 9 | 1u << 13 | 1u << 19 | 1u << 20 | 1u << 23;
  const uint32_t v3 = 1u << 12 | 1u << 22 | 1u << 27 | 1u << 28 | 1u << 29;          /* FMA MOVBE OSXSAVE AVX F16C */
  const uint32_t v3_extended = 1u << 3 | 1u << 5 | 1u << 8;                          /* BMI1 AVX2 BMI2 */
  const uint32_t v4 = 1u << 16 | 1u << 17 | 1u << 28 | 1u << 30 | 1u << 31;          /* AVX512 F DQ CD BW VL */
  uint32_t b, c, d, features, extended, low, high;
  luci_cpuid(0, &b, &c, &d);
  luci_cpuid(1, &b, &features, &d);
  luci_cpuid(0x80000001, &b, &extended, &d);
  if ((features & v2) != v2 || !(extended & 1) /* LAHF */) return 1;
  if ((features & v3) != v3 || !(extended & 1u << 5) /* LZCNT */) return 2;
  luci_cpuid(7, &b, &c, &d);
  if ((b & v3_extended) != v3_extended) return 2;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  if ((low & 6) != 6) return 2;
  return (b & v4) == v4 && (low & 0xe6) == 0xe6 ? 4 : 3;
}
