/* syscall(2) of the program: the few calls that concern the helper thread go to watched_syscall, with their arguments
   where they are; all others straight on. */
        .text

        .globl  luci_gate_syscall
        .hidden luci_gate_syscall
        .type   luci_gate_syscall, @function
luci_gate_syscall:
        .cfi_startproc
        cmpq    $317, %rdi              /* seccomp */
        je      1f
        cmpq    $272, %rdi              /* unshare */
        je      1f
        cmpq    $308, %rdi              /* setns */
        je      1f
        cmpq    $157, %rdi              /* prctl */
        je      1f
        cmpq    $60, %rdi               /* exit */
        je      1f
        jmp     *luci_host_process(%rip)
1:      jmp     luci_watched_syscall
        .cfi_endproc
        .size   luci_gate_syscall, . - luci_gate_syscall

        .section .note.GNU-stack, "", @progbits
