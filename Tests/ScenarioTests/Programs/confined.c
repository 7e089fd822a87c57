/* confined MODE: confines itself, and then does what standard input says: version, fork, exit. Reads and writes are all
   that it needs for the first. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern const char *setting_version(void);

static void say(const char *text) {
  if (write(1, text, strlen(text)) < 0) _exit(9);
}

/* Everything but this ends the process. */
static int filter(unsigned flags) {
  static const int allowed[] = {SYS_read, SYS_write, SYS_exit, SYS_exit_group};
  enum { COUNT = sizeof allowed / sizeof *allowed };
  struct sock_filter code[2 * COUNT + 2];
  int n = 0;
  code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
  for (int i = 0; i < COUNT; i++) {
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed[i], 0, 1);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  }
  code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
  struct sock_fprog program = {n, code};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

static int confine(const char *mode, const char *directory) {
  if (strcmp(mode, "strict") == 0) return prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
  if (strcmp(mode, "filter") == 0) return filter(0);
  if (strcmp(mode, "all-threads") == 0) return filter(SECCOMP_FILTER_FLAG_TSYNC);
  if (strcmp(mode, "wrong-filter") == 0) return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 1, NULL);
  if (strcmp(mode, "user") == 0) return unshare(CLONE_NEWUSER);
  if (strcmp(mode, "user-call") == 0) return (int)syscall(SYS_unshare, CLONE_NEWUSER);
  if (strcmp(mode, "mounts") == 0) return unshare(CLONE_NEWNS);
  if (strcmp(mode, "wrong-unshare") == 0) return unshare(CLONE_NEWUSER | 1);
  if (strcmp(mode, "chroot") == 0) return chroot(directory) == 0 ? chdir("/") : -1;
  if (strcmp(mode, "setuid") == 0) return setresgid(65534, 65534, 65534) == 0 ? setresuid(65534, 65534, 65534) : -1;
  return -2;
}

int main(int argc, char **argv) {
  char byte, text[64];
  say("ready\n");
  if (read(0, &byte, 1) != 1) return 8;
  const int result = confine(argv[1], argc > 2 ? argv[2] : "");
  snprintf(text, sizeof text, "%s %d\n", argv[1], result < 0 ? -errno : result);
  say(text);
  while (read(0, &byte, 1) == 1) {
    if (byte == 'v') {
      say(setting_version());
      say("\n");
    } else if (byte == 'f' && fork() == 0) {
      say("forked\n");
      while (read(0, &byte, 1) == 1 && byte != 'e') {
      }
      _exit(0);
    } else if (byte == 'x') {
      syscall(SYS_exit, 7);
    }
  }
  return 0;
}
