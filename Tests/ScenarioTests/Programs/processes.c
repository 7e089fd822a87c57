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
/* What pthread_atfork's handlers did: two processes that print at the same time would do so in any order. */
static char handled[64];
static void prepare(void) { strcat(handled, "prepare "); }
static void parent(void) { strcat(handled, "parent "); }
static void child(void) { strcat(handled, "child "); }

static void *forks(void *unused) {
  (void)unused;
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    value += 10;
    printf("child of a thread: %d, %s\n", value, handled);
    fflush(stdout);
    _exit(3);
  }
  int status;
  waitpid(pid, &status, 0);
  printf("its status: %d, %s\n", WEXITSTATUS(status), handled);
  handled[0] = 0;
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
  printf("child: %d, %s\n", WEXITSTATUS(status), handled);

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
