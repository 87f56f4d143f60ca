//! Writes the record of an exec: the fixed head, paths, the filename, argv, and pieces of a long
//! argv.

use aya_ebpf::helpers::{bpf_get_smp_processor_id, bpf_ktime_get_boot_ns};
use exectrail_common::{
    probe_config::FIELD_STACK_FILENAME,
    record::{
        Exec, FLAG_COMM_UNKNOWN, FLAG_CONTINUED, FLAG_INTERPRETED, FLAG_TAMPERED, HEAD_ARGV,
        KIND_EXEC, MAX_FILENAME, Prefix,
    },
};

use crate::{
    branchless::{differ, flag, less, opaque, select},
    cgroup_names::{is_unnamed, name_cgroup},
    config::config,
    early,
    ids::{Ids, cgroup},
    kernel::{Binprm, Task, field},
    lane::Lane,
    maps::{RING, SCRATCH, STATS},
    origin, pieces,
    scope::Scope,
    strings::copy_strings,
    tampering::stack_filename,
    wakeup,
};

/// Writes the exec of `task` to the ring, or counts it as lost.
#[inline(always)]
pub(crate) fn write<const LANE: u32>(task: Task, bprm: Binprm, scope: &Scope, _: Lane<LANE>) {
    let (Some(stats), Some(scratch)) = (STATS.get_ptr_mut(LANE), SCRATCH.get_ptr_mut(LANE)) else {
        return;
    };
    // SAFETY: pointers to the live map values of this CPU and lane. No other program uses `scratch`
    // or these counters meanwhile.
    let (stats, scratch) = unsafe { (&mut *stats, &mut *scratch) };

    // This function avoids branches: each doubles the number of states that the verifier follows
    // afterwards.
    let mm = task.mm();
    let arg_start: u64 = mm.load(field!(mm_arg_start));
    let arg_end: u64 = mm.load(field!(mm_arg_end));
    let env_end: u64 = mm.load(field!(mm_env_end));
    let argv_len = arg_end.wrapping_sub(arg_start);

    // The comm is stored at once, because the program has little stack.
    let kept = early::kept(task);
    // SAFETY: `comm` is 16 bytes at an offset that is a multiple of 8.
    unsafe { *(&raw mut scratch.head.comm).cast::<[u64; 2]>() = kept.comm };
    scratch.strings.slot = kept.slot;
    let paths_len = origin::write(task, bprm, kept.caps, scratch, u64::from(LANE));
    let mut flags =
        flag(kept.comm_unknown, FLAG_COMM_UNKNOWN) | flag(bprm.is_interpreted(), FLAG_INTERPRETED);
    let ids = Ids::of(task, scope, &mut flags);
    let cgroup_id = cgroup(task, &mut flags);
    if is_unnamed(scratch, cgroup_id) {
        name_cgroup(task.address(), cgroup_id, u64::from(LANE));
    }

    let wanted = argv_len.min(u64::from(config!(max_argv_bytes)));
    let exec = bprm.exec();
    let execs = task.self_exec_id();
    // The start of the process: a thread that executes becomes its process's leader (`de_thread`,
    // fs/exec.c).
    let start = task.start_boottime();
    // `slot` was set above. The other fields that are not set here are results of `copy_strings`.
    let strings = &mut scratch.strings;
    strings.filename = bprm.filename();
    strings.exec = exec;
    strings.arg_start = arg_start;
    strings.wanted = opaque(wanted).min(HEAD_ARGV as u64);
    strings.start = start;
    strings.execs = execs;
    strings.paths_len = paths_len as u32;
    copy_strings(u64::from(LANE));
    // The verifier knows nothing about values that a separate function has written, so this bounds
    // the lengths again.
    let filename_len = opaque(scratch.strings.filename_len.into()).min(MAX_FILENAME as u64 - 1);
    let taken = opaque(scratch.strings.argv_len.into()).min(HEAD_ARGV as u64);
    flags |=
        scratch.strings.flags as u16 | flag(less(HEAD_ARGV as u32, wanted as u32), FLAG_CONTINUED);
    // The verifier knows `fields`, so this branch adds no states.
    let stacks = if config!(fields) & FIELD_STACK_FILENAME != 0 {
        stack_filename(u64::from(LANE))
    } else {
        0
    };
    // The kernel computes `env_end` from the lengths of the strings on the stack
    // (`create_elf_tables`, fs/binfmt_elf.c). So a value other than the filename's address also
    // shows that the strings were changed.
    let differs = less(0, stacks as u32);
    flags |= flag(differ(env_end, exec) | differs, FLAG_TAMPERED);
    let stack_len = select(differs, stacks.wrapping_sub(1), 0);
    let stack_len = opaque(stack_len).min(MAX_FILENAME as u64 - 1);

    // SAFETY: helpers without arguments that always succeed.
    let (ktime, cpu) = unsafe { (bpf_ktime_get_boot_ns(), bpf_get_smp_processor_id() as u16) };
    let seq = stats.seen;
    stats.seen += 1;
    let head = &mut scratch.head;
    head.prefix = Prefix {
        lane: LANE as u8,
        kind: KIND_EXEC,
        flags,
        cpu,
        filename_len: filename_len as u16,
        seq,
    };
    head.subject = ids.subject(task, scope, ktime, start, cgroup_id);
    head.argc = bprm.argc();
    head.argv_len = argv_len.min(u64::from(u32::MAX)) as u32;
    head.argv_early = scratch.strings.argv_early;
    head.argv_head = taken as u32;

    let size = size_of::<Exec>() as u64 + paths_len + taken + filename_len + stack_len;
    // SAFETY: the scratch value has room for the head and the four bounded parts.
    let record = unsafe {
        core::slice::from_raw_parts((&raw const scratch.head).cast::<u8>(), size as usize)
    };
    if RING.output::<[u8]>(record, wakeup::flags(ktime)).is_err() {
        stats.lost += 1;
        stats.last_lost = ktime;
    } else if opaque(wanted) > HEAD_ARGV as u64 {
        // This tests `wanted` again. If it tested `flags`, the verifier would follow every set of
        // flags separately, at ten times the work.
        pieces::write_pieces(arg_start, wanted, u64::from(cpu), seq, u64::from(LANE));
    }
}
