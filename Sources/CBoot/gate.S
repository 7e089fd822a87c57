/* The way into a function whose object is about to be updated by work that only a program thread may do (ifunc
   resolvers, constructors of newly needed libraries). The stub pushed its index; every register that may carry an
   argument is kept, vector registers included, while the loader works. */
        .text

        .globl  luci_gate_entry
        .hidden luci_gate_entry
        .type   luci_gate_entry, @function
luci_gate_entry:
        .cfi_startproc
        .cfi_adjust_cfa_offset 8
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
        leaq    16(%rbp), %rsi          /* where the caller's return address lies */
        call    luci_pass_gate
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
        .cfi_def_cfa %rsp, 16
        addq    $8, %rsp
        .cfi_adjust_cfa_offset -8
        jmp     *%r11
        .cfi_endproc
        .size   luci_gate_entry, . - luci_gate_entry

        .section .note.GNU-stack, "", @progbits
