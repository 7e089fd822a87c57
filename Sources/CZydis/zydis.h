/* Zydis, the disassembler that the tests compare Bean's decoder with and that the command bean prints with. No part of the loader. */
#include <Zydis/Zydis.h>
