// thread_local variables with destructors in a library that is opened and closed while its threads live.
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

static pthread_barrier_t used, closed;
static void (*use)(const char *);

static void *thread(void *name) {
  use((const char *)name);
  pthread_barrier_wait(&used);
  pthread_barrier_wait(&closed);
  return nullptr;
}


int main(int, char **argv) {
  setvbuf(stdout, nullptr, _IONBF, 0);
  pthread_barrier_init(&used, nullptr, 2);
  pthread_barrier_init(&closed, nullptr, 2);
  for (int round = 0; round < 3; round++) {
    void *handle = dlopen(argv[1], RTLD_NOW);
    if (!handle) return puts(dlerror());
    use = (void (*)(const char *))dlsym(handle, "use");
    pthread_t other;
    pthread_create(&other, nullptr, thread, (void *)"thread");
    pthread_barrier_wait(&used);
    printf("closed: %d\n", dlclose(handle));
    // The thread's destructor is still to come, and its code with it.
    pthread_barrier_wait(&closed);
    pthread_join(other, nullptr);
    handle = dlopen(argv[1], RTLD_NOW);
    use = (void (*)(const char *))dlsym(handle, "use");
    printf("closed: %d\n", dlclose(handle));
  }
  void *handle = dlopen(argv[1], RTLD_NOW);
  use = (void (*)(const char *))dlsym(handle, "use");
  use("main");
  printf("closed: %d\n", dlclose(handle));
  puts("end");
}
