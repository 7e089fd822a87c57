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
/* Adds, modulo 2^32; returns the sum. A full barrier. */
LUCI_INLINE uint32_t luci_add32(uint32_t *word, uint32_t value) {
  return __atomic_add_fetch(word, value, __ATOMIC_SEQ_CST);
}
LUCI_INLINE uint32_t luci_exchange32(uint32_t *word, uint32_t desired) {
  return __atomic_exchange_n(word, desired, __ATOMIC_ACQ_REL);
}

/* linux/stat.h has struct statx; struct stat of the C library is not used anywhere. */

/* Entry of getdents64(2); the kernel's headers do not export it. */
struct luci_dirent64 {
  uint64_t d_ino;
  int64_t d_off;
  uint16_t d_reclen;
  uint8_t d_type;
  char d_name[];
};
