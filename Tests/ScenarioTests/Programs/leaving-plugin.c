#include "layouts.h"

struct record *leaving_make(void) { return record_new(42); }
