//! Writes the record of an exit.

use aya_ebpf::helpers::{bpf_get_smp_processor_id, bpf_ktime_get_boot_ns};
use exectrail_common::record::{Exit, KIND_EXIT, Prefix};

use crate::{
    ids::ns_pid,
    kernel::Task,
    lane::Lane,
    maps::{RING, STATS},
    scope::Scope,
    wakeup,
};

/// Writes the exit of `task` to the ring, or counts it as lost.
#[inline(always)]
pub(crate) fn write<const LANE: u32>(task: Task, scope: &Scope, _: Lane<LANE>) {
    let Some(stats) = STATS.get_ptr_mut(LANE) else {
        return;
    };
    // SAFETY: a pointer to the live map value of this CPU and lane, of which only `exit` uses these
    // fields.
    let stats = unsafe { &mut *stats };
    // SAFETY: helpers without arguments that always succeed.
    let (ktime, cpu) = unsafe { (bpf_ktime_get_boot_ns(), bpf_get_smp_processor_id() as u16) };
    let seq = stats.exits_seen;
    stats.exits_seen += 1;
    let mut exit = Exit {
        prefix: Prefix {
            lane: LANE as u8,
            kind: KIND_EXIT,
            flags: 0,
            cpu,
            filename_len: 0,
            seq,
        },
        ktime,
        start: task.group_leader().start_boottime(),
        tgid: task.tgid(),
        ns_tgid: ns_pid(task, scope.level),
        exit_code: task.exit_code(),
        pid_ns: scope.pid_ns,
        target: scope.target,
        zero: 0,
        comm: [0; 16],
    };
    // SAFETY: `comm` is 16 bytes at an offset that is a multiple of 8.
    unsafe { *(&raw mut exit.comm).cast::<[u64; 2]>() = task.comm() };
    if RING.output::<Exit>(&exit, wakeup::flags(ktime)).is_err() {
        stats.exits_lost += 1;
        stats.last_exit_lost = ktime;
    }
}
