/* A plugin with a constructor, a destructor and state. With RECORD it has an object on the heap, too, which with GROWN
   has a member more in the middle. */
#include <cstdio>
#include <cstdlib>

#ifdef RECORD
struct Record {
  unsigned long first;
#ifdef GROWN
  unsigned long inserted;
#endif
  unsigned long middle[900];
  unsigned long last;
};

extern "C" Record *closing_record(unsigned long value) {
  Record *record = (Record *)std::malloc(sizeof *record);
  if (record == nullptr) std::abort();
  record->first = value;
#ifdef GROWN
  record->inserted = 0;
#endif
  for (int i = 0; i < 900; i++) record->middle[i] = value + i;
  record->last = value * 3;
  return record;
}

extern "C" unsigned long closing_sum(const Record *record) {
  return record->first + record->middle[7] + record->middle[899] + record->last;
}
#endif

struct Life {
#ifdef RECORD
  Record *record = closing_record(1);
#endif
  Life() { std::puts("constructed"); }
  ~Life() {
#ifdef RECORD
    if (closing_sum(record) != 1 + 8 + 900 + 3) std::puts("wrong");
    std::free(record);
#endif
    std::puts("destructed");
  }
  int count = 0;
};
static Life life;

extern "C" int closing_next() { return ++life.count; }
extern "C" const char *closing_version() { return VERSION; }
