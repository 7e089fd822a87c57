// What leads into a library: tables of virtual functions, pointers in its state, addresses, exceptions.
#pragma once

struct Shape {
  virtual ~Shape();
  virtual const char *name() const;
};

/// Thrown by the library, with the version that throws.
struct Error {
  const char *text;
};

extern "C" {
Shape *make();
const char *version();
const char *by_hook(), *by_changed_hook();
/// Sets the hook that the program changes.
void change_hook(const char *(*function)());
void throws();
/// The address of a function that throws; who keeps it keeps this version's.
void (*thrower())();
/// Runs `inner`, and tells who threw, and who has caught.
void catches(void (*inner)(), const char *&thrown, const char *&caught);
}
