/* libdw and libelf of elfutils: reading debug information in hosted tools. No part of the loader. */
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwelf.h>
#include <gelf.h>
