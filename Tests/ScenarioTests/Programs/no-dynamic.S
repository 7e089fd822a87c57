/* A program with an interpreter, but nothing that a dynamic loader could work on. */
        .section .interp, "a"
        .asciz  INTERPRETER
        .zero   64
        .text
        .globl  _start
_start: ud2
        .section .note.GNU-stack, "", @progbits
