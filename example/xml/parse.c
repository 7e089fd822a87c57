/* Parses two small documents again and again, and shows which libexpat does it and that its state goes on.

   parse [WORD [ROUNDS [PAUSE]]]: prints WORD, ends after ROUNDS (0: never) or at the end of standard input; PAUSE (10)
   milliseconds lie between two rounds. A line is printed every 100 documents and whenever something changed. Ends with
   1 if the counts do not agree.

   The second document has a high surrogate without its low surrogate. Debian's 2.5.0-1+deb12u2 takes it, 2.5.0-1+deb12u4
   and later reject it (CVE-2026-93990): so the output tells whether the new code runs.

   A parser lives for one document only. The newer version's parser structure has more members, and its allocations
   start with a header; no loader can change memory that the old code laid out on the heap. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <expat.h>
#include <link.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char document[] = "<catalogue><book id='1'>Kalevala</book><book id='2'/></catalogue>";
static const char surrogate[] = /* UTF-16, little endian: <a>, U+D800, A, </a> */
    "\xff\xfe<\0a\0>\0\0\xd8"
    "A\0<\0/\0a\0>";

struct counts {
  unsigned documents; /* root elements that the library reported */
  unsigned depth;
};

static void XMLCALL start(void *user, const XML_Char *name, const XML_Char **attributes) {
  struct counts *counts = user;
  (void)name, (void)attributes;
  if (counts->depth++ == 0) counts->documents++;
}

static void XMLCALL end(void *user, const XML_Char *name) {
  (void)name;
  ((struct counts *)user)->depth--;
}

static enum XML_Error parse(const char *text, size_t length, struct counts *counts) {
  XML_Parser parser = XML_ParserCreate(NULL);
  if (parser == NULL) return XML_ERROR_NO_MEMORY;
  counts->depth = 0;
  XML_SetUserData(parser, counts);
  XML_SetElementHandler(parser, start, end);
  enum XML_Error error = XML_ERROR_NONE;
  if (XML_Parse(parser, text, (int)length, 1) != XML_STATUS_OK) error = XML_GetErrorCode(parser);
  XML_ParserFree(parser);
  return error;
}

/* Where the code of XML_Parse is now. Not inlined, so that the address is read anew each time. */
static __attribute__((noinline)) Dl_info code(void) {
  Dl_info info = {0};
  dladdr((void *)XML_Parse, &info);
  return info;
}

/* The library counts its attempts to parse in a variable of its own that no function hands out. It is found by what
   it does: it is the word in the library's writable segments that equals the number of documents. */
struct search {
  void *base;
  unsigned value;
  const unsigned *candidates[64];
  size_t count;
};

static int collect(struct dl_phdr_info *info, size_t size, void *data) {
  struct search *search = data;
  (void)size;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
    if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_W)) continue;
    char *address = (char *)info->dlpi_addr + segment->p_vaddr, *limit = address + segment->p_memsz;
    if ((char *)search->base != (char *)info->dlpi_addr) continue;
    for (; address + sizeof(unsigned) <= limit; address += sizeof(unsigned))
      if (*(const unsigned *)address == search->value && search->count < 64)
        search->candidates[search->count++] = (const unsigned *)address;
  }
  return 0;
}

static const unsigned *library_count(struct counts *counts) {
  struct search search = {code().dli_fbase, counts->documents, {NULL}, 0};
  dl_iterate_phdr(collect, &search);
  for (int round = 0; round < 8; round++) {
    parse(document, strlen(document), counts);
    size_t kept = 0;
    for (size_t i = 0; i < search.count; i++)
      if (*search.candidates[i] == counts->documents) search.candidates[kept++] = search.candidates[i];
    search.count = kept;
  }
  return search.count == 1 ? search.candidates[0] : NULL;
}

static int input_ended(int milliseconds) {
  struct pollfd input = {0, POLLIN, 0};
  char byte;
  return poll(&input, 1, milliseconds) > 0 && read(0, &byte, 1) <= 0;
}

int main(int argc, char **argv) {
  const unsigned long rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
  const int pause = argc > 3 ? atoi(argv[3]) : 10;
  struct counts counts = {0, 0};
  unsigned shown = 0;
  const void *base = NULL;
  enum XML_Error verdict = XML_ERROR_NONE;

  setvbuf(stdout, NULL, _IOLBF, 0);
  printf("argument %s\n", argc > 1 ? argv[1] : "(none)");
  printf("process %d, %s\n", (int)getpid(), XML_ExpatVersion());
  parse(document, strlen(document), &counts);
  const unsigned *own = library_count(&counts);
  if (own == NULL) printf("this libexpat has no count of its own\n");

  for (unsigned long round = 0; rounds == 0 || round < rounds; round++) {
    const enum XML_Error error = parse(document, strlen(document), &counts);
    if (error != XML_ERROR_NONE) {
      printf("wrong: the document was rejected: %s\n", XML_ErrorString(error));
      return 1;
    }
    const enum XML_Error now = parse(surrogate, sizeof surrogate, &counts);
    const Dl_info info = code();
    if (own != NULL && *own != counts.documents) {
      printf("wrong: %u documents, counted by the library %u\n", counts.documents, *own);
      return 1;
    }
    if (now != verdict || info.dli_fbase != base || counts.documents - shown >= 100) {
      printf("documents %u, counted by the library %u, lone surrogate %s, XML_Parse in %s at %p\n", counts.documents,
             own != NULL ? *own : 0, now == XML_ERROR_NONE ? "accepted" : "rejected", info.dli_fname, info.dli_fbase);
      verdict = now;
      base = info.dli_fbase;
      shown = counts.documents;
    }
    if (input_ended(pause)) break;
  }
  printf("end: documents %u, counted by the library %u\n", counts.documents, own != NULL ? *own : 0);
  return 0;
}
