/* fork, vfork, posix_spawn, exec and threads over them. */
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static int value = 1;
static void prepare(void) { puts("prepare"); }
static void parent(void) { puts("parent"); }
static void child(void) { puts("child"); }

static void *forks(void *unused) {
  (void)unused;
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    value += 10;
    printf("child of a thread: %d\n", value);
    fflush(stdout);
    _exit(3);
  }
  int status;
  waitpid(pid, &status, 0);
  printf("its status: %d\n", WEXITSTATUS(status));
  return NULL;
}

int main(int argc, char **argv) {
  if (argc > 1) {
    printf("executed with %s, value %d\n", argv[1], value);
    return 9;
  }
  setvbuf(stdout, NULL, _IOLBF, 0);
  pthread_atfork(prepare, parent, child);
  pthread_t thread;
  pthread_create(&thread, NULL, forks, NULL);
  pthread_join(thread, NULL);
  printf("value of the parent: %d\n", value);

  int status;
  pid_t pid = fork();
  if (pid == 0) {
    pid_t grandchild = fork();
    if (grandchild == 0) exit(1);
    waitpid(grandchild, &status, 0);
    exit(40 + WEXITSTATUS(status));
  }
  waitpid(pid, &status, 0);
  printf("child: %d\n", WEXITSTATUS(status));

  pid = vfork();
  if (pid == 0) {
    execl("/bin/sh", "sh", "-c", "exit 7", (char *)NULL);
    _exit(127);
  }
  waitpid(pid, &status, 0);
  printf("vfork: %d\n", WEXITSTATUS(status));

  char *command[] = {"sh", "-c", "echo spawned; kill -9 $$", NULL};
  posix_spawn(&pid, "/bin/sh", NULL, NULL, command, environ);
  waitpid(pid, &status, 0);
  printf("spawn: signal %d\n", WTERMSIG(status));

  FILE *pipe = popen("echo through a pipe", "r");
  char line[64] = "";
  printf("popen: %s", fgets(line, sizeof line, pipe));
  pclose(pipe);
  execl(argv[0], argv[0], "again", (char *)NULL);
  return 1;
}
