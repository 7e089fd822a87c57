/* What the kernel hands over on the initial stack, as the program sees it. */
#include <elf.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

extern char **environ;
extern const ElfW(Ehdr) __ehdr_start;
extern void _start(void);

static const ElfW(auxv_t) * auxv(void) {
  char **entry = environ;
  while (*entry != NULL) entry++;
  return (const ElfW(auxv_t) *)(entry + 1);
}

static void show(const char *name, unsigned long type, int correct) {
  unsigned long raw = 0;
  int count = 0;
  for (const ElfW(auxv_t) *a = auxv(); a->a_type != AT_NULL; a++)
    if (a->a_type == type) raw = a->a_un.a_val, count++;
  printf("%s: %s, %d times, %s\n", name, correct ? "correct" : "wrong", count,
         raw == getauxval(type) ? "getauxval agrees" : "getauxval differs");
}

int main(int argc, char **argv, char **envp) {
  printf("argc %d\n", argc);
  for (int i = 0; i < argc; i++) printf("argv[%d] '%s'\n", i, argv[i]);
  printf("argv[argc] %s\n", argv[argc] == NULL ? "is null" : "is something");
  printf("environment %s\n", envp == environ && (char **)environ == argv + argc + 1 ? "follows" : "is elsewhere");
  for (char **e = environ; *e != NULL; e++)
    if (strncmp(*e, "LD_", 3) != 0) printf("%zu bytes: %.40s\n", strlen(*e), *e);

  const ElfW(Phdr) *headers = (const void *)((const char *)&__ehdr_start + __ehdr_start.e_phoff);
  show("AT_PHDR", AT_PHDR, getauxval(AT_PHDR) == (uintptr_t)headers);
  show("AT_PHNUM", AT_PHNUM, getauxval(AT_PHNUM) == __ehdr_start.e_phnum);
  show("AT_PHENT", AT_PHENT, getauxval(AT_PHENT) == sizeof(ElfW(Phdr)));
  show("AT_ENTRY", AT_ENTRY, getauxval(AT_ENTRY) == (uintptr_t)_start);
  const unsigned char *base = (const unsigned char *)getauxval(AT_BASE);
  show("AT_BASE", AT_BASE, base != NULL && memcmp(base, ELFMAG, SELFMAG) == 0);
  show("AT_PAGESZ", AT_PAGESZ, getauxval(AT_PAGESZ) == (unsigned long)sysconf(_SC_PAGESIZE));
  show("AT_SECURE", AT_SECURE, getauxval(AT_SECURE) == 0);
  show("AT_UID", AT_UID, getauxval(AT_UID) == getuid());
  show("AT_RANDOM", AT_RANDOM, getauxval(AT_RANDOM) != 0);
  show("AT_SYSINFO_EHDR", AT_SYSINFO_EHDR, memcmp((void *)getauxval(AT_SYSINFO_EHDR), ELFMAG, SELFMAG) == 0);
  show("AT_EXECFN", AT_EXECFN, strcmp((const char *)getauxval(AT_EXECFN), argv[0]) == 0);
  const uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
  printf("stack %s\n", ((uintptr_t)argv & 7) == 0 && (frame & 15) == 0 ? "aligned" : "not aligned");
  return argc;
}
