/* Self relocation, then Swift. */
#include "CBoot.h"
#include <elf.h>

extern const Elf64_Ehdr __ehdr_start __attribute__((visibility("hidden")));
extern Elf64_Dyn _DYNAMIC[] __attribute__((visibility("hidden")));
extern const char _end[] __attribute__((visibility("hidden")));
void luci_continuation(void);
void luci_tlsdesc_static(void);
void luci_finaliser(void);
void luci_missing(void);
void _start(void);
long luci_clone_helper(long flags, long stack, uint64_t argument);

/* In Swift (Sources/Loader/Entry.swift). */
void luci_start_swift(uint64_t stack, struct luci_jump *jump);
void luci_resume_swift(uint64_t host_finaliser, struct luci_jump *jump);

/* Runs unrelocated: no calls out, no addresses of statics that need a relocation, no implicit memset. The linker
   leaves nothing but R_X86_64_RELATIVE in a static-pie without undefined symbols. */
static inline __attribute__((always_inline)) void relocate_self(void) {
  const uint64_t base = (uint64_t)&__ehdr_start;
  const Elf64_Rela *rela = 0;
  uint64_t size = 0;
  for (const Elf64_Dyn *entry = _DYNAMIC; entry->d_tag != DT_NULL; entry++) {
    if (entry->d_tag == DT_RELA) rela = (const Elf64_Rela *)(base + entry->d_un.d_ptr);
    if (entry->d_tag == DT_RELASZ) size = entry->d_un.d_val;
  }
  for (uint64_t index = 0; index < size / sizeof(Elf64_Rela); index++)
    if (ELF64_R_TYPE(rela[index].r_info) == R_X86_64_RELATIVE)
      *(volatile uint64_t *)(base + rela[index].r_offset) = base + rela[index].r_addend;
}

__attribute__((used)) void luci_boot(uint64_t stack, struct luci_jump *jump) {
  relocate_self();
  luci_start_swift(stack, jump);
}

__attribute__((used)) void luci_resume(uint64_t host_finaliser, struct luci_jump *jump) {
  luci_resume_swift(host_finaliser, jump);
}

const char *luci_prefix(void) { return LUCI_PREFIX; }

uint64_t luci_self_start(void) { return (uint64_t)&__ehdr_start; }
uint64_t luci_self_end(void) { return (uint64_t)_end; }
uint64_t luci_self_dynamic(void) { return (uint64_t)_DYNAMIC; }
uint64_t luci_continuation_address(void) { return (uint64_t)luci_continuation; }
uint64_t luci_tlsdesc_static_address(void) { return (uint64_t)luci_tlsdesc_static; }

uint64_t luci_tls_base, luci_host_tls_get_addr;
void luci_tlsdesc_dynamic(void);
void luci_tls_get_addr(void);
uint64_t luci_tlsdesc_dynamic_address(void) { return (uint64_t)luci_tlsdesc_dynamic; }
uint64_t luci_tls_get_addr_address(void) { return (uint64_t)luci_tls_get_addr; }
void luci_set_tls(uint64_t base, uint64_t host_tls_get_addr) {
  luci_tls_base = base;
  luci_host_tls_get_addr = host_tls_get_addr;
}

uint64_t luci_finaliser_address(void) { return (uint64_t)luci_finaliser; }
uint64_t luci_missing_function_address(void) { return (uint64_t)luci_missing; }
uint64_t luci_entry_address(void) { return (uint64_t)_start; }

__attribute__((noinline, used)) void _dl_debug_state(void) { __asm__ volatile("" : : : "memory"); }

uint64_t luci_stack_gap;
void luci_set_stack_gap(uint64_t size) { luci_stack_gap = size; }

long luci_start_helper(uint64_t stack_top, uint64_t argument) {
  /* CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS (a thread block that is nothing but an
     identity). Not CLONE_FS: whatever chroot(2), chdir(2) or umask(2) do to the program, its libraries are where it
     found them. */
  const long flags = 0x100 | 0x800 | 0x10000 | 0x40000 | 0x80000;
  /* A second helper, started by the first, shares its descriptors: CLONE_FILES. */
  if (argument == 1) return luci_clone_helper(flags | 0x400, (long)stack_top, argument);
  return luci_clone_helper(flags, (long)stack_top, argument);
}

void luci_gate_entry(void);
void luci_call_entry(void);

/* CPUID.1:ECX.OSXSAVE. Asked for before the first gate is put up and not at start: hypervisors trap CPUID. */
uint32_t luci_has_xsave;

static void find_xsave(void) {
  uint32_t a = 1, b, c = 0, d;
  __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
  luci_has_xsave = (c >> 27) & 1;
}

uint64_t luci_gate_entry_address(void) {
  find_xsave();
  return (uint64_t)luci_gate_entry;
}

uint64_t luci_call_entry_address(void) {
  find_xsave();
  return (uint64_t)luci_call_entry;
}
