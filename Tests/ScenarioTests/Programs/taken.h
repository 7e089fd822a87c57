// Constants of libtaken.so that an executable takes over by copy relocations.
#pragma once

#ifndef LIMITS
#define LIMITS 4
#endif

/// Its table of virtual functions is the library's, since `version` is; the constructor is the program's.
struct Shape {
  virtual const char *version() const;
  virtual int area() const;
  int side = 3;
};

extern const int limits[LIMITS];

extern "C" int limit(int index);
