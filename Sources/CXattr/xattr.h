/* Extended attributes: the toolchain's module of the C library leaves this header out. */
#pragma once

#include <sys/xattr.h>
