//! Writing an exec down: the fixed head, argv, the filename, and pieces of what is too long.

use aya_ebpf::helpers::{
    bpf_get_current_cgroup_id, bpf_get_smp_processor_id, bpf_ktime_get_boot_ns,
    generated::{bpf_probe_read_kernel, bpf_probe_read_user, bpf_probe_read_user_str},
};
use exectrail_common::record::{
    Exec, FLAG_ARGV_FAULT, FLAG_COMM_UNKNOWN, FLAG_CONTINUED, FLAG_FILENAME_FAULT,
    FLAG_IDS_UNMAPPED, FLAG_INTERPRETED, FLAG_NS_PPID_UNKNOWN, HEAD_ARGV, KIND_EXEC, MAX_FILENAME,
    Prefix,
};

use crate::{
    branchless::{less, opaque, select},
    comm,
    kernel::{Binprm, KernelPtr, Task, offset, own},
    lane::Lane,
    maps::{RING, SCRATCH, STATS},
    own_scope::ns_tgid,
    pieces,
    scope::Scope,
    wakeup,
};

/// Writes the exec of `task` to the ring, or counts it as lost.
#[inline(always)]
pub(crate) fn write<const LANE: u32>(task: Task, bprm: Binprm, scope: &Scope, _: Lane<LANE>) {
    let (Some(stats), Some(scratch)) = (STATS.get_ptr_mut(LANE), SCRATCH.get_ptr_mut(LANE)) else {
        return;
    };
    // SAFETY: pointers to the live map values of this CPU and lane; nothing else runs in it meanwhile.
    let (stats, scratch) = unsafe { (&mut *stats, &mut *scratch) };

    let mut flags = 0;
    let mm = task.mm();
    let arg_start: u64 = mm.load(offset!(mm_arg_start));
    let arg_end: u64 = mm.load(offset!(mm_arg_end));
    let env_end: u64 = mm.load(offset!(mm_env_end));
    let argv_len = arg_end.wrapping_sub(arg_start);

    let tgid = task.tgid();
    let comm = comm::kept(tgid).unwrap_or_else(|| {
        flags |= FLAG_COMM_UNKNOWN;
        [0; 2]
    });
    let parent = task.real_parent().group_leader();
    let ns_ppid = if own!(read_kernel) != 0 {
        ns_pid(parent, scope.level)
    } else {
        flags |= FLAG_NS_PPID_UNKNOWN;
        0
    };
    let cred = task.cred();
    let uid: u32 = cred.load(offset!(cred_uid));
    let gid: u32 = cred.load(offset!(cred_gid));
    let user_ns = task.user_ns();
    let ns_uid = mapped(user_ns.field(offset!(user_namespace_uid_map)), uid);
    let ns_gid = mapped(user_ns.field(offset!(user_namespace_gid_map)), gid);
    if ns_uid.is_none() || ns_gid.is_none() {
        flags |= FLAG_IDS_UNMAPPED;
    }
    if bprm.is_interpreted() {
        flags |= FLAG_INTERPRETED;
    }

    let tail = (&raw mut scratch.tail).cast::<u8>();
    let wanted = argv_len.min(u64::from(own!(max_argv_bytes)));
    let mut taken = opaque(wanted).min(HEAD_ARGV as u64);
    // SAFETY: at most HEAD_ARGV bytes into a tail that is longer; a fault gives an error.
    if unsafe { bpf_probe_read_user(tail.cast(), taken as u32, arg_start as *const _) } < 0 {
        flags |= FLAG_ARGV_FAULT;
        taken = 0;
    }
    if wanted > HEAD_ARGV as u64 {
        flags |= FLAG_CONTINUED;
    }

    // The kernel has put the filename on the new stack, right behind the environment
    // (`do_execveat_common`, fs/exec.c: the first string copied there).
    // SAFETY: at most MAX_FILENAME bytes behind at most HEAD_ARGV, which the tail has room for.
    let filename_size = unsafe {
        bpf_probe_read_user_str(
            tail.add(taken as usize).cast(),
            MAX_FILENAME as u32,
            env_end as *const _,
        )
    };
    let filename_len = if filename_size < 1 {
        flags |= FLAG_FILENAME_FAULT;
        0
    } else {
        (filename_size as u64 - 1).min(MAX_FILENAME as u64 - 1)
    };

    // SAFETY: helpers without arguments that always succeed.
    let (ktime, cgroup_id, cpu) = unsafe {
        (
            bpf_ktime_get_boot_ns(),
            bpf_get_current_cgroup_id(),
            bpf_get_smp_processor_id() as u16,
        )
    };
    let seq = stats.seen;
    stats.seen += 1;
    scratch.head = Exec {
        prefix: Prefix {
            lane: LANE as u8,
            kind: KIND_EXEC,
            flags,
            cpu,
            filename_len: filename_len as u16,
            seq,
        },
        ktime,
        start: task.group_leader().start_boottime(),
        cgroup_id,
        tgid,
        ns_tgid: ns_tgid(scope.pid_ns),
        ppid: parent.tgid(),
        ns_ppid,
        uid,
        gid,
        euid: cred.load(offset!(cred_euid)),
        ns_uid: ns_uid.unwrap_or(OVERFLOW_ID),
        ns_gid: ns_gid.unwrap_or(OVERFLOW_ID),
        pid_ns: scope.pid_ns,
        mnt_ns: task.mnt_ns(),
        target: scope.target,
        argc: bprm.argc(),
        argv_len: argv_len.min(u64::from(u32::MAX)) as u32,
        comm: [0; 16],
    };
    // SAFETY: `comm` is 16 bytes at an offset that is a multiple of 8.
    unsafe { *(&raw mut scratch.head.comm).cast::<[u64; 2]>() = comm };

    let size = size_of::<Exec>() as u64 + taken + filename_len;
    // SAFETY: the scratch value is longer than its head and the two bounded parts.
    let record =
        unsafe { core::slice::from_raw_parts((&raw const *scratch).cast::<u8>(), size as usize) };
    if RING.output::<[u8]>(record, wakeup::flags(ktime)).is_err() {
        stats.lost += 1;
        stats.last_lost = ktime;
    } else if opaque(wanted) > HEAD_ARGV as u64 {
        // Asked of `wanted` again: a decision by `flags` would have the verifier tell apart every set
        // of them, at ten times the work.
        // Its result says nothing; the kernel wants one.
        pieces::write_pieces(arg_start, wanted, u64::from(cpu), seq, u64::from(LANE));
    }
}

/// What a namespace shows for an id that it does not map (`/proc/sys/kernel/overflowuid`'s default).
pub(crate) const OVERFLOW_ID: u32 = 65534;

/// Extents that a map holds in place (`UID_GID_MAP_MAX_BASE_EXTENTS`, include/linux/user_namespace.h).
const EXTENTS_IN_PLACE: u32 = 5;

/// `id` as the user namespace with this `struct uid_gid_map` shows it; none where the map is kept elsewhere.
#[inline(always)]
pub(crate) fn mapped(map: KernelPtr, id: u32) -> Option<u32> {
    let extents: u32 = map.load(offset!(uid_gid_map_nr_extents));
    if extents > EXTENTS_IN_PLACE {
        return None;
    }
    // Without a branch: five would give the verifier that many ways through all that follows.
    let mut shown = u64::from(OVERFLOW_ID);
    for index in 0..EXTENTS_IN_PLACE {
        let extent = map.field(offset!(uid_gid_map_extent) + index * offset!(uid_gid_extent_size));
        let lower_first: u32 = extent.load(offset!(uid_gid_extent_lower_first));
        let count: u32 = extent.load(offset!(uid_gid_extent_count));
        let first: u32 = extent.load(offset!(uid_gid_extent_first));
        let within = id.wrapping_sub(lower_first);
        let hit = less(within, count) & less(index, extents);
        shown = select(hit, u64::from(first.wrapping_add(within)), shown);
    }
    Some(shown as u32)
}

/// The id of `task` in the namespace at depth `level`; 0 where it has none, being outside.
///
/// The one kernel read by helper: `numbers` is indexed by depth, and the verifier takes no
/// variable offset into a BTF pointer.
#[inline(always)]
pub(crate) fn ns_pid(task: Task, level: u32) -> u32 {
    let pid = task.thread_pid();
    let depth: u32 = pid.load(offset!(pid_level));
    if depth < level {
        return 0;
    }
    let mut nr = 0u32;
    // Levels are below 64. Before 6.12 the verifier lets nothing unbounded be added to a BTF pointer,
    // even where the sum is only handed to a helper.
    let offset = u64::from(offset!(pid_numbers))
        + (opaque(u64::from(level)) & 63) * u64::from(offset!(upid_size))
        + u64::from(offset!(upid_nr));
    let address = opaque(pid.address() as u64).wrapping_add(offset);
    // SAFETY: four bytes into a u32; a fault gives an error and leaves 0.
    unsafe { bpf_probe_read_kernel((&raw mut nr).cast(), 4, address as *const _) };
    nr
}
