/* The way into a function whose object is about to be updated by work that only a program thread may do (ifunc
   resolvers, constructors of newly needed libraries). The stub pushed its index; every register that may carry an
   argument is kept, vector registers included, while the loader works. */
        .text

        .macro  keep_arguments name, words, function
        .globl  \name
        .hidden \name
        .type   \name, @function
\name:
        .cfi_startproc
        .cfi_adjust_cfa_offset 8*\words
        pushq   %rbp
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %rbp, 0
        movq    %rsp, %rbp
        .cfi_def_cfa_register %rbp
        pushq   %rax
        pushq   %rcx
        pushq   %rdx
        pushq   %rsi
        pushq   %rdi
        pushq   %r8
        pushq   %r9
        pushq   %r10
        subq    $3072, %rsp
        andq    $-64, %rsp
        cmpl    $0, luci_has_xsave(%rip)
        je      1f
        xorl    %eax, %eax              /* the XSAVE header must be clear */
        movq    %rax, 512(%rsp)
        movq    %rax, 520(%rsp)
        movq    %rax, 528(%rsp)
        movq    %rax, 536(%rsp)
        movq    %rax, 544(%rsp)
        movq    %rax, 552(%rsp)
        movq    %rax, 560(%rsp)
        movq    %rax, 568(%rsp)
        movl    $0xe7, %eax             /* x87, SSE, AVX, AVX-512: 2,688 bytes in the standard format */
        xorl    %edx, %edx
        xsave64 (%rsp)
        jmp     2f
1:      fxsave64 (%rsp)
2:      movq    8(%rbp), %rdi
        .if \words == 1
        leaq    16(%rbp), %rsi          /* where the caller's return address lies */
        .else
        movq    16(%rbp), %rsi
        .endif
        call    \function
        movq    %rax, %r11
        cmpl    $0, luci_has_xsave(%rip)
        je      3f
        movl    $0xe7, %eax
        xorl    %edx, %edx
        xrstor64 (%rsp)
        jmp     4f
3:      fxrstor64 (%rsp)
4:      leaq    -64(%rbp), %rsp
        popq    %r10
        popq    %r9
        popq    %r8
        popq    %rdi
        popq    %rsi
        popq    %rdx
        popq    %rcx
        popq    %rax
        popq    %rbp
        .cfi_def_cfa %rsp, 8+8*\words
        addq    $8*\words, %rsp
        .cfi_adjust_cfa_offset -8*\words
        jmp     *%r11
        .cfi_endproc
        .size   \name, . - \name
        .endm

        keep_arguments luci_gate_entry, 1, luci_pass_gate

/* GOT[2] with LD_BIND_NOT: PLT0 pushed GOT[1] (the object's link_map), the PLT entry the index of the relocation. */
        keep_arguments luci_call_entry, 2, luci_look_up_call

        .section .note.GNU-stack, "", @progbits
