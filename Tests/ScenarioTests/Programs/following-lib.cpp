// VERSION is a text.
#include "following.h"

Shape::~Shape() {}
const char *Shape::name() const { return VERSION; }

static const char *own() { return VERSION; }
static const char *(*hook)() = own;
static const char *(*changed)() = own;

static void throws_unseen() { throw Error{VERSION}; }

extern "C" {
Shape *make() { return new Shape; }
const char *version() { return VERSION; }
const char *by_hook() { return hook(); }
const char *by_changed_hook() { return changed(); }
void change_hook(const char *(*function)()) { (function ? changed : hook) = function ? function : own; }
void throws() { throw Error{VERSION}; }
void (*thrower())() { return throws_unseen; }
void catches(void (*inner)(), const char *&thrown, const char *&caught) {
  try {
    inner();
  } catch (const Error &error) {
    thrown = error.text;
    caught = VERSION;
  }
}
#ifdef MORE
const char *added() { return VERSION; }
#endif
}
