//! The system calls that execute a program, and the registers with the addresses of the filename
//! and of argv. The program that records a failed exec reads the filename and argv at these
//! addresses. `preflight/src/attach_points.rs` has the kernel's functions for these calls.
//!
//! At a system call, the kernel's function gets the caller's registers, `struct pt_regs`, as its
//! only argument. Each architecture's ABI fixes what a register holds, so the offsets are
//! constants.

use bytemuck::{Pod, Zeroable};

/// Number of calls. A call is an index into the arrays below; [`crate::record::FailedExec::call`]
/// is such an index.
pub const CALLS: usize = 4;
/// `execve`.
pub const EXECVE: usize = 0;
/// `execveat`.
pub const EXECVEAT: usize = 1;
/// `execve`, called by a 32-bit program or through `int 0x80`.
pub const COMPAT_EXECVE: usize = 2;
/// `execveat`, called by a 32-bit program or through `int 0x80`.
pub const COMPAT_EXECVEAT: usize = 3;

/// Names of the calls, as in lines.
pub const NAMES: [&str; CALLS] = ["execve", "execveat", "compat_execve", "compat_execveat"];

/// Positions of the calls' arguments on one architecture. Offsets are in bytes, into
/// `struct pt_regs`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct ExecCalls {
    /// Offset of the register with the address of the filename, for each call.
    pub filename: [u32; CALLS],
    /// Offset of the register with the address of the array of arguments, for each call.
    pub argv: [u32; CALLS],
    /// The number of each system call.
    pub number: [u32; CALLS],
    /// Offset of the field with the number of the running call.
    pub number_at: u32,
    /// Offset of the field that shows whether the caller runs 32-bit code.
    pub mode_at: u32,
    /// Mask of the bits in that field that show 32-bit code.
    pub mode_mask: u32,
    /// The value of these bits for 32-bit code.
    pub mode_32: u32,
}

impl ExecCalls {
    /// x86-64: arch/x86/include/uapi/asm/ptrace.h; arch/x86/entry/syscalls/syscall_64.tbl and
    /// syscall_32.tbl; code segments in arch/x86/include/asm/segment.h (`__USER32_CS`).
    pub const X86_64: Self = Self {
        // rdi, rsi, rbx, rcx
        filename: [112, 104, 40, 88],
        // rsi, rdx, rcx, rdx
        argv: [104, 96, 88, 96],
        number: [59, 322, 11, 358],
        // orig_rax
        number_at: 120,
        // cs
        mode_at: 136,
        mode_mask: 0xffff,
        mode_32: 0x23,
    };

    /// arm64: arch/arm64/include/asm/ptrace.h (`struct pt_regs`), uapi/asm/ptrace.h
    /// (`PSR_MODE32_BIT`); include/uapi/asm-generic/unistd.h; arch/arm/tools/syscall.tbl.
    pub const AARCH64: Self = Self {
        // execve: `orig_x0`, because x0 has the result when the call exits; execveat: x1
        filename: [272, 8, 272, 8],
        // x1, x2
        argv: [8, 16, 8, 16],
        number: [221, 281, 11, 387],
        // syscallno, after 31 registers, sp, pc, pstate, orig_x0
        number_at: 280,
        // pstate
        mode_at: 264,
        mode_mask: 0x10,
        mode_32: 0x10,
    };
}
