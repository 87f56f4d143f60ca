# A 32-bit program that executes argv[1] through int 0x80. The arguments of this program from
# argv[1] on are the argv of the executed program. Without an argument it exits.
.globl _start
_start:
    movl (%esp), %eax
    cmpl $2, %eax
    jl leave
    movl 8(%esp), %ebx
    leal 8(%esp), %ecx
    xorl %edx, %edx
    movl $11, %eax
    int $0x80
    movl %eax, %ebx
    negl %ebx
    movl $1, %eax
    int $0x80
leave:
    xorl %ebx, %ebx
    movl $1, %eax
    int $0x80
