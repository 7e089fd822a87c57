/* Thread-local variables of the program: __tls_get_addr and the resolver of TLS descriptors for objects that were
   opened later. Each thread's block of the merged segment begins with words of Luci's own; the third points to the
   thread's table of blocks: a count, then one pointer per module of Luci's, 0 for none yet. */
        .set    FIRST_MODULE, 4096      /* TLSModules.firstModule */
        .set    TABLE_WORD, 16          /* TLSLayout.tableWord */

        .text

/* void *__tls_get_addr(tls_index *): module in the first word, offset in the second (psABI). Module 1 is the merged
   segment, at a fixed distance from the thread pointer. */
        .globl  luci_tls_get_addr
        .hidden luci_tls_get_addr
        .type   luci_tls_get_addr, @function
        .p2align 4
luci_tls_get_addr:
        movq    (%rdi), %rax
        cmpq    $1, %rax
        jne     1f
        movq    %fs:0, %rax
        addq    luci_tls_base(%rip), %rax
        addq    8(%rdi), %rax
        ret
1:      subq    $FIRST_MODULE, %rax
        jb      2f
        movq    %fs:0, %rdx
        addq    luci_tls_base(%rip), %rdx
        movq    TABLE_WORD(%rdx), %rdx
        testq   %rdx, %rdx
        jz      3f
        cmpq    (%rdx), %rax
        jae     3f
        movq    8(%rdx, %rax, 8), %rdx
        testq   %rdx, %rdx
        jz      3f
        movq    8(%rdi), %rax
        addq    %rdx, %rax
        ret
2:      jmp     *luci_host_tls_get_addr(%rip)
        /* Compilers do not always keep the stack aligned for this call. */
3:      pushq   %rbp
        movq    %rsp, %rbp
        pushq   %rdi
        andq    $-16, %rsp
        movq    %rax, %rdi
        call    luci_tls_block
        movq    -8(%rbp), %rdi
        addq    8(%rdi), %rax
        leave
        ret
        .size   luci_tls_get_addr, . - luci_tls_get_addr

/* TLS descriptor of such an object: rax holds the descriptor's address, whose second word leads to a module number
   (less FIRST_MODULE) and an offset. Returns the distance from the thread pointer in rax and keeps every other
   register. What it calls is the loader's own code, which uses no vector registers but xmm0 to xmm15, and no
   instruction that changes their upper halves. */
        .globl  luci_tlsdesc_dynamic
        .hidden luci_tlsdesc_dynamic
        .type   luci_tlsdesc_dynamic, @function
        .p2align 4
luci_tlsdesc_dynamic:
        movq    8(%rax), %rax
        pushq   %rcx
        pushq   %rdx
        movq    %fs:0, %rdx
        addq    luci_tls_base(%rip), %rdx
        movq    TABLE_WORD(%rdx), %rdx
        testq   %rdx, %rdx
        jz      4f
        movq    (%rax), %rcx
        cmpq    (%rdx), %rcx
        jae     4f
        movq    8(%rdx, %rcx, 8), %rcx
        testq   %rcx, %rcx
        jz      4f
        movq    8(%rax), %rax
        addq    %rcx, %rax
        subq    %fs:0, %rax
        popq    %rdx
        popq    %rcx
        ret
4:      pushq   %rbp
        movq    %rsp, %rbp
        pushq   %rax
        pushq   %rsi
        pushq   %rdi
        pushq   %r8
        pushq   %r9
        pushq   %r10
        pushq   %r11
        subq    $256, %rsp
        andq    $-16, %rsp
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
        movaps  %xmm\n, (16 * \n)(%rsp)
        .endr
        movq    (%rax), %rdi
        call    luci_tls_block
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
        movaps  (16 * \n)(%rsp), %xmm\n
        .endr
        movq    -8(%rbp), %rcx
        addq    8(%rcx), %rax
        subq    %fs:0, %rax
        movq    -16(%rbp), %rsi
        movq    -24(%rbp), %rdi
        movq    -32(%rbp), %r8
        movq    -40(%rbp), %r9
        movq    -48(%rbp), %r10
        movq    -56(%rbp), %r11
        leave
        popq    %rdx
        popq    %rcx
        ret
        .size   luci_tlsdesc_dynamic, . - luci_tlsdesc_dynamic

        .section .note.GNU-stack, "", @progbits
