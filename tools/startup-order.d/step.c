/* step PROGRAM ARGUMENT…: runs a program whose interpreter is the loader instruction by instruction, and prints each
   address of the loader's file that runs for the first time, decimal, in order. */
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

/* More than the loader's code takes. */
enum { SPAN = 4 << 20 };
static unsigned char seen[SPAN];

static unsigned long base_of(pid_t child) {
  char path[64];
  Elf64_auxv_t entry;
  unsigned long base = 0;
  snprintf(path, sizeof path, "/proc/%d/auxv", child);
  const int file = open(path, O_RDONLY);
  while (read(file, &entry, sizeof entry) == sizeof entry)
    if (entry.a_type == AT_BASE) base = entry.a_un.a_val;
  close(file);
  return base;
}

int main(int count, char **arguments) {
  if (count < 2) {
    fprintf(stderr, "usage: step PROGRAM ARGUMENT...\n");
    return 2;
  }
  const pid_t child = fork();
  if (child == 0) {
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    if (!freopen("/dev/null", "w", stdout)) _exit(127);
    execv(arguments[1], arguments + 1);
    _exit(127);
  }
  int status;
  if (waitpid(child, &status, 0) < 0 || !WIFSTOPPED(status)) {
    fprintf(stderr, "step: %s does not start\n", arguments[1]);
    return 1;
  }
  const unsigned long base = base_of(child);
  struct user_regs_struct registers;
  while (WIFSTOPPED(status)) {
    if (ptrace(PTRACE_GETREGS, child, 0, &registers) != 0) break;
    const unsigned long address = registers.rip - base;
    if (address < SPAN && !seen[address]) {
      seen[address] = 1;
      printf("%lu\n", address);
    }
    const int signal = WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
    if (ptrace(PTRACE_SINGLESTEP, child, 0, signal) != 0 || waitpid(child, &status, 0) < 0) break;
  }
  return 0;
}
