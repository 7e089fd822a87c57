/* System calls that change what a process of several threads may do. Some demand that there is one thread only,
   others may forbid all threads what the helper does; so it ends before, and comes back afterwards where it can. */
#include "CBoot.h"

enum { SECCOMP_SET_MODE_STRICT, SECCOMP_SET_MODE_FILTER };
enum { SECCOMP_FILTER_FLAG_TSYNC = 1, PR_SET_SECCOMP = 22 };
enum { SECCOMP_MODE_STRICT = 1, NR_EXIT = 60, NR_PRCTL = 157, NR_UNSHARE = 272, NR_SETNS = 308, NR_SECCOMP = 317 };

/* In Swift (LoaderCore/Update/ProcessChanges.swift). */
void luci_before_alone(long flags);
void luci_after_alone(void);
void luci_before_seccomp(int ends_updates);
void luci_after_seccomp(int failed);
void luci_before_thread_exit(void);

/* The host's syscall, prctl, unshare, setns. */
void *luci_host_process[4];

long luci_gate_syscall(long number, ...);
static long call(long number, long a, long b, long c, long d, long e, long f) {
  return ((long (*)(long, long, long, long, long, long, long))luci_host_process[0])(number, a, b, c, d, e, f);
}

__attribute__((used)) long luci_watched_syscall(long number, long a, long b, long c, long d, long e, long f) {
  long result;
  if (number == NR_EXIT) luci_before_thread_exit();
  if (number == NR_UNSHARE || number == NR_SETNS) {
    luci_before_alone(number == NR_UNSHARE ? a : -1);
    result = call(number, a, b, c, d, e, f);
    luci_after_alone();
    return result;
  }
  const int is_filter = number == NR_SECCOMP && a == SECCOMP_SET_MODE_FILTER;
  const int is_strict = number == NR_SECCOMP && a == SECCOMP_SET_MODE_STRICT;
  if (!is_filter && !is_strict && !(number == NR_PRCTL && (int)a == PR_SET_SECCOMP))
    return call(number, a, b, c, d, e, f);
  luci_before_seccomp(is_filter ? (b & SECCOMP_FILTER_FLAG_TSYNC) != 0 : is_strict || b == SECCOMP_MODE_STRICT);
  result = call(number, a, b, c, d, e, f);
  if (result != 0) luci_after_seccomp(1);
  return result;
}

static int gate_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d) {
  int (*host)(int, ...) = (int (*)(int, ...))luci_host_process[1];
  if (option != PR_SET_SECCOMP) return host(option, a, b, c, d);
  luci_before_seccomp(a == SECCOMP_MODE_STRICT);
  const int result = host(option, a, b, c, d);
  if (result != 0) luci_after_seccomp(1);
  return result;
}

static int gate_unshare(int flags) {
  luci_before_alone(flags);
  const int result = ((int (*)(int))luci_host_process[2])(flags);
  luci_after_alone();
  return result;
}

static int gate_setns(int descriptor, int kind) {
  luci_before_alone(-1);
  const int result = ((int (*)(int, int))luci_host_process[3])(descriptor, kind);
  luci_after_alone();
  return result;
}

uint64_t luci_process_call(int index, uint64_t host) {
  luci_host_process[index] = (void *)host;
  switch (index) {
  case 0: return (uint64_t)luci_gate_syscall;
  case 1: return (uint64_t)gate_prctl;
  case 2: return (uint64_t)gate_unshare;
  default: return (uint64_t)gate_setns;
  }
}
