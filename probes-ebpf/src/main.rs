//! The eBPF programs of exectrail.
//!
//! | Program | Hook | Does |
//! |---|---|---|
//! | `rename` | `tp_btf/task_rename` | calls [`early`], which copies the caller's comm and capabilities, and argv while no other process can change it |
//! | `exec` | `tp_btf/sched_process_exec` | gets the target from [`scope`], checks suppression with [`rules`] and [`bucket`], and writes the record with [`record`] |
//! | `exit` | `tp_btf/sched_process_exit`, if enabled | writes records of exits |
//! | `failed_execve`, `failed_execveat`, `failed_compat_execve`, `failed_compat_execveat` | `fexit` of these calls, if enabled | writes records of failed execs |
//! | `failed_any` | `tp_btf/sys_exit`, if enabled | writes records of failed execs; slows down every system call |
//! | `sidecar_scope` | `tp_btf/task_rename`, attached for a moment at start | finds the sidecar's own namespaces and cgroups |
//! | `end_check` | `tp_btf/oom_score_adj_update` | answers the sidecar whether a namespace has ended |
//!
//! The entry of a program that calls functions contains one call and nothing else. The reason: if a
//! load in such an entry faults, some kernels before Linux 6.4 can panic. See
//! docs/decisions/entries-only-call.md.
//!
//! `exec`, `exit` and `rename` have copies, called `…_second` and so on. They are loaded if
//! programs at tracepoints can be preempted: see [`lane`].
//!
//! Programs of `fexit` can be preempted, but the kernel never runs one twice at once on a CPU. All
//! other programs run with preemption off, or the kernel prevents a second execution on the same
//! CPU. So the values that a program has for each CPU and lane are used by one execution at a time.
//!
//! Several programs share the values of these maps:
//! - `STATS`: each program counts in its own fields or by atomic addition.
//! - `DECISIONS` and `DISMISSALS`: `exit` uses the values of `exec` only if it cannot preempt
//!   `exec`.
//! - `DISMISSALS`: `rename` only reads the values of `exec`.
#![allow(unsafe_code, reason = "reads kernel memory and map values")]
#![no_std]
#![no_main]
#![cfg_attr(target_arch = "bpf", feature(asm_experimental_arch))]

mod atomic;
mod branchless;
mod bucket;
mod cgroup_names;
mod config;
mod early;
mod end_check;
mod exit;
mod failed_argv;
mod failed_exec;
mod ids;
mod kernel;
mod kernel_read;
mod lane;
mod maps;
mod near_names;
mod origin;
mod paths;
mod pieces;
mod pod;
mod record;
mod rules;
mod scope;
mod sidecar_scope;
mod strings;
mod tampering;
mod wakeup;

use core::ffi::c_void;

use aya_ebpf::{
    EbpfContext as _,
    macros::{btf_tracepoint, fexit},
    programs::{BtfTracePointContext, FExitContext},
};
use exectrail_common::exec_calls::{COMPAT_EXECVE, COMPAT_EXECVEAT, EXECVE, EXECVEAT};
use kernel::{Binprm, KernelPtr, Task};
use lane::{Event, Lane};
use scope::Outside;

/// The copies of a program at a tracepoint, by lane.
macro_rules! copies {
    ($tracepoint:literal runs $see:ident: $($program:ident in $lane:literal),+) => {$(
        #[btf_tracepoint(function = $tracepoint)]
        fn $program(ctx: BtfTracePointContext) -> i32 {
            $see::<$lane>(ctx.as_ptr())
        }
    )+};
}

copies!("sched_process_exec" runs see_exec:
    exec in 0, exec_second in 1, exec_third in 2);

copies!("sched_process_exit" runs see_exit:
    exit in 0, exit_second in 1, exit_third in 2);

copies!("task_rename" runs see_rename:
    rename in 0, rename_second in 1);

/// One successful exec: the new image is in place, its first instruction has not run.
#[inline(never)]
fn see_exec<const LANE: u32>(ctx: *mut c_void) -> i32 {
    let (ctx, lane) = (&BtfTracePointContext::new(ctx), Lane::<LANE>);
    let task = Task::from_arg(ctx, 0);
    let bprm = Binprm::from_arg(ctx, 2);
    if LANE == 0 {
        failed_exec::count_success();
    }
    if lane.is_first(task, Event::Exec) {
        match scope::scope(task, lane, Event::Exec) {
            // In a namespace that is dismissed, or in the init PID namespace, `rename` usually
            // copies nothing, so there is nothing to release.
            Err(Outside::Dismissed) => {}
            Err(Outside::LookedUp) => early::release(task),
            Ok(scope) if rules::exclude(task, bprm, lane) || bucket::is_empty(scope.target) => {
                early::release(task);
            }
            Ok(scope) => record::write(task, bprm, &scope, lane),
        }
    }
    0
}

/// A comm is about to change, by exec or otherwise.
#[inline(always)]
fn see_rename<const LANE: u32>(ctx: *mut c_void) -> i32 {
    let (ctx, lane) = (&BtfTracePointContext::new(ctx), Lane::<LANE>);
    early::keep(Task::from_arg(ctx, 0), lane);
    0
}

/// A thread exits.
#[inline(never)]
fn see_exit<const LANE: u32>(ctx: *mut c_void) -> i32 {
    let (ctx, lane) = (&BtfTracePointContext::new(ctx), Lane::<LANE>);
    let task = Task::from_arg(ctx, 0);
    if lane.is_first(task, Event::Exit)
        && task.is_last_thread()
        && let Ok(scope) = scope::scope(task, lane, Event::Exit)
    {
        exit::write(task, &scope, lane);
    }
    0
}

/// An `execve` ends. The context of an `fexit` program has the arguments and then the result. The
/// result is read from there because the helper that returns it needs Linux 5.17.
#[fexit(function = "__x64_sys_execve")]
fn failed_execve(ctx: FExitContext) -> i32 {
    see_end::<EXECVE>(ctx.as_ptr())
}

/// An `execveat` ends.
#[fexit(function = "__x64_sys_execveat")]
fn failed_execveat(ctx: FExitContext) -> i32 {
    see_end::<EXECVEAT>(ctx.as_ptr())
}

/// An `execve` of 32-bit code ends.
#[fexit(function = "__ia32_compat_sys_execve")]
fn failed_compat_execve(ctx: FExitContext) -> i32 {
    see_end::<COMPAT_EXECVE>(ctx.as_ptr())
}

/// An `execveat` of 32-bit code ends.
#[fexit(function = "__ia32_compat_sys_execveat")]
fn failed_compat_execveat(ctx: FExitContext) -> i32 {
    see_end::<COMPAT_EXECVEAT>(ctx.as_ptr())
}

/// Any system call ends.
#[btf_tracepoint(function = "sys_exit")]
fn failed_any(ctx: BtfTracePointContext) -> i32 {
    see_any_end(ctx.as_ptr())
}

/// The `execve` or `execveat` with this index ends.
#[inline(never)]
fn see_end<const CALL: usize>(ctx: *mut c_void) -> i32 {
    let ctx = FExitContext::new(ctx);
    failed_exec::ended(KernelPtr::new(ctx.arg(0)), CALL, ctx.arg(1));
    0
}

/// A system call ends.
#[inline(never)]
fn see_any_end(ctx: *mut c_void) -> i32 {
    let ctx = BtfTracePointContext::new(ctx);
    failed_exec::any_call_ended(KernelPtr::new(ctx.arg(0)), ctx.arg(1));
    0
}

/// A comm is about to change. User space renames its own thread to have this program look at the
/// thread.
#[btf_tracepoint(function = "task_rename")]
fn sidecar_scope(ctx: BtfTracePointContext) -> i32 {
    sidecar_scope::look(Task::from_arg(&ctx, 0));
    0
}

/// A process's `oom_score_adj` was written. User space writes its own to have this program answer a
/// question.
#[btf_tracepoint(function = "oom_score_adj_update")]
fn end_check(_: BtfTracePointContext) -> i32 {
    end_check::answer();
    0
}

#[cfg(target_arch = "bpf")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// A license string that allows GPL-only helpers (include/linux/license.h).
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
