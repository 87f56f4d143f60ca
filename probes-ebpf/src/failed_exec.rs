//! Writes the record of a failed exec.
//!
//! The programs that write this record are loaded only if failed execs are recorded. `exec`, which
//! is always loaded, uses only [`count_success`].

use aya_ebpf::helpers::{
    bpf_get_smp_processor_id, bpf_ktime_get_boot_ns, generated::bpf_probe_read_user_str,
};
use exectrail_common::{
    exec_calls::{CALLS, COMPAT_EXECVE, COMPAT_EXECVEAT, EXECVE, EXECVEAT, ExecCalls},
    record::{
        FAILED_ARGV, FLAG_FILENAME_CUT, FLAG_FILENAME_FAULT, FailedExec, KIND_FAILED_EXEC,
        MAX_FILENAME, Prefix,
    },
};

use crate::{
    branchless::opaque,
    config::config,
    failed_argv::copy_failed_argv,
    ids::{Ids, cgroup},
    kernel::{KernelPtr, Task},
    lane::Event,
    maps::{FAILED, FAILED_STATS, RING, STATS},
    scope::{self, Scope},
    wakeup,
};

/// Numbers of the exec calls on this architecture, and the positions of their arguments; set by
/// user space before load, then frozen.
#[unsafe(no_mangle)]
// SAFETY: all fields are integers, for which zero is a value.
static EXEC_CALLS: ExecCalls = unsafe { core::mem::zeroed() };

/// A part of [`EXEC_CALLS`].
macro_rules! exec_calls {
    ($($part:tt)+) => {
        // SAFETY: reads an initialized static of plain integers; indices are below `CALLS`.
        unsafe { core::ptr::read_volatile(&raw const EXEC_CALLS.$($part)+) }
    };
}

/// Error numbers from this one on are internal to the kernel (include/linux/errno.h). `execve` ends
/// with some of them, such as `ERESTARTNOINTR`: the kernel then restarts the call, and the caller
/// never sees them.
const FIRST_INTERNAL_ERRNO: u64 = 512;

/// The addresses that the caller passed.
struct Strings {
    /// Address of the filename.
    filename: u64,
    /// Address of the array of arguments.
    argv: u64,
}

impl Strings {
    /// The addresses, cut to 32 bits for a 32-bit caller.
    #[inline(always)]
    fn compat(self) -> Self {
        let low = u64::from(u32::MAX);
        Self {
            filename: self.filename & low,
            argv: self.argv & low,
        }
    }
}

/// Counts a successful exec anywhere on the node, if failed execs are to be recorded by `fexit`.
///
/// The kernel skips a program that is already running on the same CPU. It counts the executions
/// that it skipped, for failed and successful execs together. The count here minus the count in
/// [`ended`] is the number of skipped successful execs. The other skipped execs failed.
#[inline(always)]
pub(crate) fn count_success() {
    if config!(count_execs) != 0
        && let Some(stats) = STATS.get_ptr_mut(0)
    {
        // SAFETY: a pointer to the live map value of this CPU and lane; only this writes the field.
        unsafe { (*stats).execs += 1 };
    }
}

/// Handles the end of `call` with `result`.
#[inline(always)]
pub(crate) fn ended(registers: KernelPtr, call: usize, result: i64) {
    let errno = result.wrapping_neg() as u64;
    if errno == 0 {
        if let Some(stats) = FAILED_STATS.get_ptr_mut(call as u32) {
            // SAFETY: a pointer to the live map value of this CPU and call; only this code writes
            // this field.
            unsafe { (*stats).succeeded += 1 };
        }
        return;
    }
    if errno >= FIRST_INTERNAL_ERRNO {
        return;
    }
    let task = Task::current();
    if let Some(scope) = scope::look_up(task, Event::FailedExec) {
        let strings = Strings {
            filename: registers.load_at(exec_calls!(filename[call])),
            argv: registers.load_at(exec_calls!(argv[call])),
        };
        let strings = if call < COMPAT_EXECVE {
            strings
        } else {
            strings.compat()
        };
        write(task, &scope, call, errno as u32, strings);
    }
}

/// Handles the end of any system call with `result`.
#[inline(always)]
pub(crate) fn any_call_ended(registers: KernelPtr, result: i64) {
    // Most calls return here.
    if result >= 0 {
        return;
    }
    let number: u32 = registers.load_at(exec_calls!(number_at));
    let mode: u32 = registers.load_at(exec_calls!(mode_at));
    let compat = mode & exec_calls!(mode_mask) == exec_calls!(mode_32);
    // Not a loop over an array: the compiler would use a pointer to before the array, which Linux
    // 7.1 to 7.3 refuse.
    let native = [exec_calls!(number[EXECVE]), exec_calls!(number[EXECVEAT])];
    let compats = [
        exec_calls!(number[COMPAT_EXECVE]),
        exec_calls!(number[COMPAT_EXECVEAT]),
    ];
    let [execve, execveat] = if compat { compats } else { native };
    let first = if compat { COMPAT_EXECVE } else { EXECVE };
    if number == execve {
        ended(registers, first, result);
    } else if number == execveat {
        ended(registers, first + 1, result);
    }
}

/// Writes the failed exec to the ring, or counts it as lost.
#[inline(always)]
fn write(task: Task, scope: &Scope, call: usize, errno: u32, strings: Strings) {
    // SAFETY: a helper without arguments that always succeeds.
    let cpu = unsafe { bpf_get_smp_processor_id() };
    let slot = cpu * CALLS as u32 + call as u32;
    let (Some(stats), Some(scratch)) = (
        FAILED_STATS.get_ptr_mut(call as u32),
        FAILED.get_ptr_mut(slot),
    ) else {
        return;
    };
    // SAFETY: pointers to live map values of this CPU and this call; see `FAILED`.
    let (stats, scratch) = unsafe { (&mut *stats, &mut *scratch) };

    let mut flags = 0;
    let ids = Ids::of(task, scope, &mut flags);
    // SAFETY: at most MAX_FILENAME bytes into as many; a fault gives an error.
    let filename_size = unsafe {
        bpf_probe_read_user_str(
            (&raw mut scratch.tail).cast(),
            MAX_FILENAME as u32,
            strings.filename as *const _,
        )
    };
    let filename_len = if filename_size < 1 {
        flags |= FLAG_FILENAME_FAULT;
        0
    } else {
        if filename_size >= MAX_FILENAME as i64 {
            flags |= FLAG_FILENAME_CUT;
        }
        opaque(filename_size as u64 - 1).min(MAX_FILENAME as u64 - 1)
    };
    let argv = copy_failed_argv(
        u64::from(slot),
        filename_len,
        strings.argv,
        u64::from(call >= COMPAT_EXECVE),
    );
    flags |= (argv >> 32) as u16;
    let argv_len = opaque(argv & u64::from(u32::MAX)).min(FAILED_ARGV as u64);

    let cgroup_id = cgroup(task, &mut flags);
    // SAFETY: a helper without arguments that always succeeds.
    let ktime = unsafe { bpf_ktime_get_boot_ns() };
    let seq = stats.seen;
    stats.seen += 1;
    let start = task.group_leader().start_boottime();
    scratch.head = FailedExec {
        prefix: Prefix {
            lane: 0,
            kind: KIND_FAILED_EXEC,
            flags,
            cpu: cpu as u16,
            filename_len: filename_len as u16,
            seq,
        },
        subject: ids.subject(task, scope, ktime, start, cgroup_id),
        errno,
        call: call as u32,
        argv_len: argv_len as u32,
        zero: 0,
        comm: [0; 16],
    };
    // SAFETY: `comm` is 16 bytes at an offset that is a multiple of 8.
    unsafe { *(&raw mut scratch.head.comm).cast::<[u64; 2]>() = task.comm() };

    let size = size_of::<FailedExec>() as u64 + filename_len + argv_len;
    // SAFETY: the scratch value has room for the head, the longest filename, and argv.
    let record =
        unsafe { core::slice::from_raw_parts((&raw const *scratch).cast::<u8>(), size as usize) };
    if RING.output::<[u8]>(record, wakeup::flags(ktime)).is_err() {
        stats.lost += 1;
        stats.last_lost = ktime;
    }
}
