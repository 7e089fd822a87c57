/* What programs are bound to in place of the C library's functions of the same names (<dlfcn.h>, <link.h>). Some
   depend on who calls: the return address is only known here. */
#include "CBoot.h"

/* The loader's own (heap.c). */
void *malloc(size_t size);
void free(void *memory);

void *luci_dlopen(const char *name, int mode, const void *caller);
void *luci_dlmopen(long name_space, const char *name, int mode, const void *caller);
int luci_dlclose(void *handle);
void *luci_dlsym(void *handle, const char *name, const char *version, const void *caller);
int luci_dladdr(const void *address, void *info, void **extra, int flags);
int luci_dlinfo(void *handle, int request, void *result);
char *luci_dlerror(void);
int luci_dl_iterate_phdr(int (*callback)(void *, size_t, void *), void *data);
int luci_dl_find_object(void *address, void *result);

static void *gate_dlopen(const char *name, int mode) { return luci_dlopen(name, mode, __builtin_return_address(0)); }
static void *gate_dlmopen(long name_space, const char *name, int mode) {
  return luci_dlmopen(name_space, name, mode, __builtin_return_address(0));
}
static int gate_dlclose(void *handle) { return luci_dlclose(handle); }
static void *gate_dlsym(void *handle, const char *name) {
  return luci_dlsym(handle, name, 0, __builtin_return_address(0));
}
static void *gate_dlvsym(void *handle, const char *name, const char *version) {
  return luci_dlsym(handle, name, version, __builtin_return_address(0));
}
static int gate_dladdr(const void *address, void *info) { return luci_dladdr(address, info, 0, 0); }
static int gate_dladdr1(const void *address, void *info, void **extra, int flags) {
  return luci_dladdr(address, info, extra, flags);
}
static int gate_dlinfo(void *handle, int request, void *result) { return luci_dlinfo(handle, request, result); }
static char *gate_dlerror(void) { return luci_dlerror(); }
static int gate_dl_iterate_phdr(int (*callback)(void *, size_t, void *), void *data) {
  return luci_dl_iterate_phdr(callback, data);
}
static int gate_dl_find_object(void *address, void *result) { return luci_dl_find_object(address, result); }

/* __cxa_thread_atexit_impl, which C++ run-time libraries register destructors of thread_local variables with. The C
   library keeps a library in memory until they have run; those that Luci opened it does not know, so they are counted
   here. */
struct thread_destructor {
  void (*run)(void *);
  void *argument;
  uint32_t *pending;
};

uint32_t *luci_pending_thread_destructors(const void *dso);
static uint64_t luci_host_thread_atexit;
void luci_set_host_thread_atexit(uint64_t function) { luci_host_thread_atexit = function; }

static void run_thread_destructor(void *record) {
  struct thread_destructor destructor = *(struct thread_destructor *)record;
  free(record);
  destructor.run(destructor.argument);
  __atomic_sub_fetch(destructor.pending, 1, __ATOMIC_RELEASE);
}

static int gate_thread_atexit(void (*run)(void *), void *argument, void *dso) {
  int (*host)(void (*)(void *), void *, void *) = (int (*)(void (*)(void *), void *, void *))luci_host_thread_atexit;
  uint32_t *pending = luci_pending_thread_destructors(dso);
  struct thread_destructor *record = pending ? malloc(sizeof *record) : 0;
  if (!record) return host(run, argument, dso);
  *record = (struct thread_destructor){run, argument, pending};
  __atomic_add_fetch(pending, 1, __ATOMIC_RELAXED);
  int result = host(run_thread_destructor, record, dso);
  if (result) {
    __atomic_sub_fetch(pending, 1, __ATOMIC_RELAXED);
    free(record);
  }
  return result;
}

uint64_t luci_thread_atexit_address(void) { return (uint64_t)gate_thread_atexit; }

uint64_t luci_interposer_address(int index) {
  switch (index) {
  case 0: return (uint64_t)gate_dlopen;
  case 1: return (uint64_t)gate_dlmopen;
  case 2: return (uint64_t)gate_dlclose;
  case 3: return (uint64_t)gate_dlsym;
  case 4: return (uint64_t)gate_dlvsym;
  case 5: return (uint64_t)gate_dladdr;
  case 6: return (uint64_t)gate_dladdr1;
  case 7: return (uint64_t)gate_dlinfo;
  case 8: return (uint64_t)gate_dlerror;
  case 9: return (uint64_t)gate_dl_iterate_phdr;
  default: return (uint64_t)gate_dl_find_object;
  }
}

/* What programs know as __luci_update (include/luci.h). */
int luci_update(const void *frame);
static int gate_update(void) { return luci_update(__builtin_frame_address(0)); }
uint64_t luci_update_address(void) { return (uint64_t)gate_update; }

void luci_before_fork(void);
void luci_after_fork_in_parent(void);
void luci_after_fork_in_child(void);

uint64_t luci_fork_handler_address(int index) {
  return (uint64_t)(index == 0   ? luci_before_fork
                    : index == 1 ? luci_after_fork_in_parent
                                 : luci_after_fork_in_child);
}
