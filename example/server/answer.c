/* Turns a line round, byte by byte (1) or from both ends (2), and says which it was. */
#include "answer.h"

#include <stdatomic.h>
#include <string.h>

static atomic_ulong count;

unsigned answer_request(const char *request, unsigned length, char *answer) {
  count++;
#if VERSION == 1
  for (unsigned i = 0; i < length; i++) answer[i] = request[length - 1 - i];
#else
  memcpy(answer, request, length);
  for (unsigned low = 0, high = length; low + 1 < high; low++) {
    const char byte = answer[low];
    answer[low] = answer[--high];
    answer[high] = byte;
  }
#endif
  memcpy(answer + length, VERSION == 1 ? " 1" : " 2", 2);
  return length + 2;
}

unsigned long answer_count(void) { return count; }
