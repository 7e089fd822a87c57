/* oracle SEED: uses code of liboracle.so in every way in which old code can stay in use, at random times: by pointers
   that are kept or renewed, in a loop, with return addresses on stacks of the C library's and of its own, in signal
   handlers with stacks of their own, left by longjmp, on stacks that are set aside by swapcontext.
   A line on standard input is answered by what the code of each version has logged: GENERATION:LAST:ENTRIES:INSIDE:ASIDE. */
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "oracle.h"

static volatile struct oracle_log log_of;
typedef void function(volatile struct oracle_log *);
typedef void holder(volatile struct oracle_log *, volatile long *, void (*)(void *), void *);
typedef void looper(volatile struct oracle_log *, volatile int *);
static function *volatile kept[8];
static unsigned long seed;

static long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000l + time.tv_nsec;
}

static unsigned long number(unsigned long *state, unsigned long limit) {
  *state = *state * 6364136223846793005ul + 1442695040888963407ul;
  return (*state >> 33) % limit;
}

static void rest(unsigned long *state, unsigned long limit) { usleep(1000 * (1 + number(state, limit))); }

/* A thread's own random numbers and what it has kept of the library. */
struct user {
  unsigned long state;
  holder *hold;
  looper *loop;
};

static void renew(struct user *user) {
  if (user->hold && number(&user->state, 5)) return;
  user->hold = oracle_hold;
  user->loop = oracle_loop;
}

/* Longer than what retires a version, now and then. */
static void wait_inside(void *user) {
  unsigned long *state = &((struct user *)user)->state;
  rest(state, number(state, 3) ? 200 : 5000);
}

static void *pointers(void *argument) {
  struct user *user = argument;
  for (;;) {
    rest(&user->state, number(&user->state, 4) ? 30 : 900);
    const unsigned long which = number(&user->state, 8);
    /* Mostly the new code; now and then a pointer that was kept. */
    if (number(&user->state, 3) == 0) kept[which](&log_of);
    if (number(&user->state, 12) == 0) kept[which] = which & 1 ? oracle_a : oracle_b;
    oracle_a(&log_of);
  }
  return NULL;
}

static void *holding(void *argument) {
  struct user *user = argument;
  for (;;) {
    rest(&user->state, 3000);
    renew(user);
    user->hold(&log_of, log_of.inside, wait_inside, user);
  }
  return NULL;
}

/* A handler on another stack waits, and what it interrupted is inside. The kernel is told of the handler without the C
   library, with code of our own that returns from it. */
void return_from_signal(void);
__asm__("return_from_signal: mov $15, %rax\n nop\n syscall\n");
static __thread struct user *handled;
static void handler(int signal) {
  (void)signal;
  wait_inside(handled);
}
static void interrupt(void *user) {
  (void)user;
  syscall(SYS_tgkill, getpid(), gettid(), SIGUSR2);
}

static void *interrupted(void *argument) {
  struct user *user = argument;
  /* Above what it interrupts, in the same mapping. */
  char own[16384] __attribute__((aligned(16)));
  const stack_t stack = {.ss_sp = own, .ss_size = sizeof own};
  handled = user;
  sigaltstack(&stack, NULL);
  for (;;) {
    rest(&user->state, 3000);
    renew(user);
    user->hold(&log_of, log_of.inside, interrupt, user);
  }
  return NULL;
}

static __thread jmp_buf back;
static void jump(void *user) {
  wait_inside(user);
  longjmp(back, 1);
}

static void *jumping(void *argument) {
  struct user *user = argument;
  static __thread long inside[GENERATIONS];
  for (;;) {
    rest(&user->state, 3000);
    renew(user);
    if (setjmp(back) == 0) user->hold(&log_of, inside, jump, user);
  }
  return NULL;
}

struct aside {
  ucontext_t own, other;
  struct user *user;
};
static void put_aside(void *aside) { swapcontext(&((struct aside *)aside)->other, &((struct aside *)aside)->own); }
static void on_other_stack(unsigned low, unsigned high) {
  struct aside *aside = (struct aside *)((unsigned long)high << 32 | low);
  for (;;) {
    renew(aside->user);
    aside->user->hold(&log_of, log_of.aside, put_aside, aside);
    put_aside(aside);
  }
}

static void *switching(void *argument) {
  struct aside *aside = calloc(1, sizeof *aside);
  const unsigned long address = (unsigned long)aside;
  aside->user = argument;
  getcontext(&aside->other);
  aside->other.uc_stack.ss_sp = malloc(65536);
  aside->other.uc_stack.ss_size = 65536;
  makecontext(&aside->other, (void (*)(void))on_other_stack, 2, (unsigned)address, (unsigned)(address >> 32));
  for (;;) {
    swapcontext(&aside->own, &aside->other);
    rest(&aside->user->state, 4000);
  }
  return NULL;
}

static volatile int stop;
static void *looping(void *argument) {
  struct user *user = argument;
  for (;;) {
    rest(&user->state, 6000);
    renew(user);
    stop = 0;
    user->loop(&log_of, &stop);
  }
  return NULL;
}

static void *stopping(void *argument) {
  struct user *user = argument;
  for (;;) {
    rest(&user->state, 1500);
    stop = 1;
  }
  return NULL;
}

static void start(void *(*run)(void *), int on_own_stack) {
  static int count;
  pthread_t thread;
  pthread_attr_t attributes;
  struct user *user = calloc(1, sizeof *user);
  user->state = seed * 1000 + count++;
  pthread_attr_init(&attributes);
  if (on_own_stack) {
    /* In three mappings, the upper ones of which are not the one that the stack pointer is in. */
    const size_t size = 1 << 18;
    char *stack = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    madvise(stack + size - 4096, 4096, MADV_DONTFORK);
    pthread_attr_setstack(&attributes, stack, size);
  }
  pthread_create(&thread, &attributes, run, user);
}

struct kernel_action {
  void (*handler)(int);
  unsigned long flags;
  void (*restorer)(void);
  unsigned long mask;
};

int main(int argc, char **argv) {
  char line[64];
  seed = argc > 1 ? strtoul(argv[1], NULL, 10) : 1;
  setvbuf(stdin, NULL, _IONBF, 0);
  /* SA_RESTORER, SA_ONSTACK */
  const struct kernel_action action = {handler, 0x04000000 | 0x08000000, return_from_signal, 0};
  syscall(SYS_rt_sigaction, SIGUSR2, &action, NULL, 8);
  for (int i = 0; i < 8; i++) kept[i] = i & 1 ? oracle_a : oracle_b;
  start(pointers, 0);
  start(holding, 0);
  start(holding, 1);
  start(interrupted, 0);
  start(interrupted, 1);
  start(jumping, 0);
  start(switching, 0);
  start(looping, 0);
  start(stopping, 0);
  printf("ready\n");
  fflush(stdout);
  while (fgets(line, sizeof line, stdin)) {
    printf("%ld", now());
    for (int i = 0; i < GENERATIONS; i++) {
      /* A loop that runs has no last moment yet. */
      const long last = log_of.last[i], entries = log_of.entries[i];
      if (entries) {
        printf(" %d:%ld:%ld:%ld:%ld", i, last == 0x7fffffffffffffffl ? now() : last, entries, log_of.inside[i],
               log_of.aside[i]);
      }
    }
    printf("\n");
    fflush(stdout);
  }
  return 0;
}
