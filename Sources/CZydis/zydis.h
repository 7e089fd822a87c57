/* Zydis, the disassembler that the tests compare Bean's decoder with. No part of the product. */
#include <Zydis/Zydis.h>
