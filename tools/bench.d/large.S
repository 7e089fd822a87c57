# A library of FUNCTIONS functions of about 128 bytes with unwind tables, made by the assembler, since a compiler would
# take minutes. VERSION differs in bench_version alone.
        .altmacro
        .macro  function number
        .p2align 4
        .type   filler_\number, @function
filler_\number:
        .cfi_startproc
        leaq    counts(%rip), %rcx
        movl    %edi, %eax
        andl    $63, %eax
        addq    %rdi, (%rcx, %rax, 8)
        imull   $\number, %edi, %eax
        .rept   12
        leal    \number(%rax, %rax, 2), %eax
        .endr
        addl    counts+8*(\number-\number/64*64)(%rip), %eax
        ret
        .cfi_endproc
        .size   filler_\number, . - filler_\number
        .endm

        .text
        .globl  bench_version
        .type   bench_version, @function
bench_version:
        .cfi_startproc
        incq    counts(%rip)
        movl    $VERSION, %eax
        ret
        .cfi_endproc
        .size   bench_version, . - bench_version
        .set    number, 0
        .rept   FUNCTIONS
        function %number
        .set    number, number + 1
        .endr

        .bss
        .p2align 5
counts: .skip   512
        .section .note.GNU-stack, "", @progbits
