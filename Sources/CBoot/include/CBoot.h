/* What exists before and below Swift: entry, self relocation, run-time symbols, heap, and the few places where
   control leaves the loader for good. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Where the loader goes on when a stage is done: set the stack pointer and rdx, jump. */
struct luci_jump {
  uint64_t entry;
  uint64_t stack;
  uint64_t rdx;
};

/* First address of the loader's own image, and one past its last. */
uint64_t luci_self_start(void);
uint64_t luci_self_end(void);
/* Address of the loader's dynamic section. */
uint64_t luci_self_dynamic(void);

/* Where Luci is installed: set when it is built (Package.swift). */
const char *luci_prefix(void);

/* Addresses of code that is entered from outside (boot/gates.S). */
uint64_t luci_continuation_address(void);
uint64_t luci_tlsdesc_static_address(void);
uint64_t luci_tlsdesc_dynamic_address(void);
uint64_t luci_tls_get_addr_address(void);
uint64_t luci_thread_atexit_address(void);
/* The host's __cxa_thread_atexit_impl. */
void luci_set_host_thread_atexit(uint64_t function);
/* Distance from the thread pointer to the merged segment, and the host's __tls_get_addr. */
void luci_set_tls(uint64_t base, uint64_t host_tls_get_addr);
uint64_t luci_finaliser_address(void);
uint64_t luci_missing_function_address(void);
uint64_t luci_entry_address(void);

/* dlopen, dlmopen, dlclose, dlsym, dlvsym, dladdr, dladdr1, dlinfo, dlerror, dl_iterate_phdr, _dl_find_object. */
uint64_t luci_interposer_address(int index);

/* GOT[2] of lazily bound objects with LD_BIND_NOT (gate.S). */
uint64_t luci_call_entry_address(void);

/* Notes the host's function and returns what programs are bound to in its place: 0 syscall, 1 prctl, 2 unshare,
   3 setns. */
uint64_t luci_process_call(int index, uint64_t host);

/* What programs know as __luci_update. */
uint64_t luci_update_address(void);

/* Where stubs go that pushed their index (gate.S). */
uint64_t luci_gate_entry_address(void);

/* Debuggers put a breakpoint here, which they find by this name before the program runs: it is called when objects
   have come or gone. */
__attribute__((visibility("default"))) void _dl_debug_state(void);

/* Handlers for __register_atfork: 0 prepare, 1 parent, 2 child. */
uint64_t luci_fork_handler_address(int index);

/* Bytes below the host's initial stack vector that the continuation must leave alone. */
void luci_set_stack_gap(uint64_t size);

/* The loader's heap is private: its lock is taken around fork(2), so that a child never inherits it taken. */
void luci_heap_lock(void);
void luci_heap_unlock(void);
void luci_heap_keep(int on);
long luci_heap_regions(uint64_t *words, long capacity);

/* Starts a thread that shares memory with the program, but has a descriptor table of its own (no CLONE_FILES) and
   no block of the program's C library. It runs luci_helper_main(argument) on `stack_top` with all signals
   blocked. 64 bytes from `stack_top` on are its thread block. Returns the thread id or -errno. */
long luci_start_helper(uint64_t stack_top, uint64_t argument);
