/* Entry of the loader, as PT_INTERP or started directly, and the points where control leaves it. */
        .text

        .globl  _start
        .hidden _start
        .type   _start, @function
_start:
        xorl    %ebp, %ebp
        movq    %rsp, %rdi
        subq    $64, %rsp
        andq    $-16, %rsp
        movq    %rsp, %rsi              /* struct luci_jump to fill in */
        call    luci_boot
        /* Leave for good: the frames below the new stack pointer are not needed any more. */
leave:
        movq    0(%rsp), %rcx           /* entry */
        movq    16(%rsp), %rdx
        movq    8(%rsp), %rsp
        xorl    %ebp, %ebp
        xorl    %eax, %eax
        xorl    %esi, %esi
        xorl    %edi, %edi
        jmp     *%rcx
        .size   _start, . - _start

/* AT_ENTRY of the stand-in: the host's loader jumps here when the C library is up, its finaliser in rdx. */
        .globl  luci_continuation
        .hidden luci_continuation
        .type   luci_continuation, @function
luci_continuation:
        xorl    %ebp, %ebp
        movq    %rdx, %rdi
        subq    luci_stack_gap(%rip), %rsp      /* the program's vector is written there */
        subq    $64, %rsp
        andq    $-16, %rsp
        movq    %rsp, %rsi
        call    luci_resume
        jmp     leave
        .size   luci_continuation, . - luci_continuation

/* TLS descriptor whose variable lies at a fixed distance from the thread pointer (psABI: argument in rax, result
   in rax, all other registers kept). The descriptor's second word is that distance. */
        .globl  luci_tlsdesc_static
        .hidden luci_tlsdesc_static
        .type   luci_tlsdesc_static, @function
luci_tlsdesc_static:
        movq    8(%rax), %rax
        ret
        .size   luci_tlsdesc_static, . - luci_tlsdesc_static

/* rdx at the program's entry: destructors. */
        .globl  luci_finaliser
        .hidden luci_finaliser
        .type   luci_finaliser, @function
luci_finaliser:
        jmp     luci_finalise_swift
        .size   luci_finaliser, . - luci_finaliser

/* GOT[2] of a lazily bound object that lacks a function: PLT0 pushed GOT[1] (its link_map), the PLT entry the
   index of the relocation. */
        .globl  luci_missing
        .hidden luci_missing
        .type   luci_missing, @function
luci_missing:
        popq    %rdi
        popq    %rsi
        andq    $-16, %rsp
        call    luci_missing_function
        ud2
        .size   luci_missing, . - luci_missing

/* long luci_clone_helper(flags, stack, argument): the child starts in luci_helper_main and never returns. */
        .globl  luci_clone_helper
        .hidden luci_clone_helper
        .type   luci_clone_helper, @function
luci_clone_helper:
        pushq   %r12
        movq    %rdx, %r12              /* the child finds the argument here: its stack is empty */
        xorl    %edx, %edx
        xorl    %r10d, %r10d
        movq    %rsi, %r8               /* the thread pointer, with CLONE_SETTLS */
        movq    %rsi, (%rsi)
        movl    $56, %eax               /* clone */
        syscall
        testq   %rax, %rax
        jz      1f
        popq    %r12
        ret
1:      xorl    %ebp, %ebp
        andq    $-16, %rsp
        movq    %r12, %rdi
        call    luci_helper_main
        ud2
        .size   luci_clone_helper, . - luci_clone_helper

        .section .note.GNU-stack, "", @progbits
