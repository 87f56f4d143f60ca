//! Process, parent, user and group ids of an exec, in the init namespaces and in the task's own,
//! and its cgroup.

use aya_ebpf::{
    bindings::bpf_pidns_info,
    helpers::{bpf_get_ns_current_pid_tgid, generated::bpf_probe_read_kernel},
};
use exectrail_common::{
    probe_config::{HIERARCHY_DEFAULT, HIERARCHY_V1},
    record::{FLAG_CGROUP_UNKNOWN, FLAG_IDS_UNMAPPED, FLAG_NO_NEW_PRIVS, Subject},
};

use crate::{
    branchless::{anew, flag, less, opaque, select},
    config::{config, offset},
    kernel::{KernelPtr, Task, field},
    scope::Scope,
};

/// The ids; each is described at the field of the same name in [`Subject`].
pub(crate) struct Ids {
    pub(crate) ns_tgid: u32,
    pub(crate) ppid: u32,
    pub(crate) ppid_start: u64,
    pub(crate) ns_ppid: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) euid: u32,
    pub(crate) egid: u32,
    pub(crate) sid: u32,
    pub(crate) ns_uid: u32,
    pub(crate) ns_gid: u32,
}

impl Ids {
    /// The ids of `task`, the current task. Sets flags for unknown ids and for `no_new_privs`.
    #[inline(always)]
    pub(crate) fn of(task: Task, scope: &Scope, flags: &mut u16) -> Self {
        let parent = task.real_parent();
        let ns_ppid = ns_pid(parent, scope.level);
        let ns_tgid = ns_pid(task, scope.level);
        let cred = task.cred();
        let uid: u32 = cred.load(field!(cred_uid));
        let gid: u32 = cred.load(field!(cred_gid));
        let user_ns = task.user_ns();
        let (ns_uid, uid_elsewhere) = mapped(user_ns.field(offset!(user_namespace_uid_map)), uid);
        let (ns_gid, gid_elsewhere) = mapped(user_ns.field(offset!(user_namespace_gid_map)), gid);
        *flags |= flag(uid_elsewhere | gid_elsewhere, FLAG_IDS_UNMAPPED)
            | flag(task.no_new_privs(), FLAG_NO_NEW_PRIVS);
        Self {
            ns_tgid,
            ppid: parent.tgid(),
            // `parent` may be any thread of the parent process.
            ppid_start: parent.group_leader().start_boottime(),
            ns_ppid,
            uid,
            gid,
            euid: cred.load(field!(cred_euid)),
            egid: cred.load(field!(cred_egid)),
            sid: task.session_id(),
            ns_uid,
            ns_gid,
        }
    }

    /// The subject of a record: the ids of `task`, the current task, and the rest of its identity.
    #[inline(always)]
    pub(crate) fn subject(
        &self,
        task: Task,
        scope: &Scope,
        ktime: u64,
        start: u64,
        cgroup_id: u64,
    ) -> Subject {
        Subject {
            ktime,
            start,
            ppid_start: self.ppid_start,
            cgroup_id,
            tgid: task.tgid(),
            ns_tgid: self.ns_tgid,
            ppid: self.ppid,
            ns_ppid: self.ns_ppid,
            uid: self.uid,
            gid: self.gid,
            euid: self.euid,
            egid: self.egid,
            sid: self.sid,
            ns_uid: self.ns_uid,
            ns_gid: self.ns_gid,
            pid_ns: scope.pid_ns,
            mnt_ns: task.mnt_ns(),
            target: scope.target,
        }
    }
}

/// Id of the cgroup of `task`, the current task, in the cgroup hierarchy of pods. Sets a flag if
/// that hierarchy is unknown. The default hierarchy is no substitute: on a node with cgroup v1 all
/// pods may be in its root.
#[inline(always)]
pub(crate) fn cgroup(task: Task, flags: &mut u16) -> u64 {
    // The verifier knows this value, and follows only one of the paths.
    match config!(hierarchy) {
        HIERARCHY_V1 => task.cgroup_id_v1(),
        HIERARCHY_DEFAULT => task.cgroup_id_default(),
        _ => {
            *flags |= FLAG_CGROUP_UNKNOWN;
            0
        }
    }
}

/// The id that a namespace shows for an id without a mapping (default of
/// `/proc/sys/kernel/overflowuid`).
const OVERFLOW_ID: u32 = 65534;

/// Maximum number of extents inside `struct uid_gid_map` (`UID_GID_MAP_MAX_BASE_EXTENTS`,
/// include/linux/user_namespace.h).
const EXTENTS_IN_PLACE: u32 = 5;

/// Returns `id` as the user namespace with this `struct uid_gid_map` shows it. The second value is
/// 1 if the extents are outside that struct, where they cannot be read.
#[inline(always)]
fn mapped(map: KernelPtr, id: u32) -> (u32, u64) {
    let extents: u32 = map.load(field!(uid_gid_map_nr_extents));
    let elsewhere = less(EXTENTS_IN_PLACE, extents);
    let mut shown = in_extent(map, 0, extents, id, u64::from(OVERFLOW_ID));
    // Most maps have one extent.
    if extents > 1 {
        // The loop has no branches: four branches would multiply the paths that the verifier
        // follows afterwards. `extents` is no bound of the loop: the compiler would join the two
        // bounds into one, which verifiers before 6.12 refuse.
        for index in 1..EXTENTS_IN_PLACE {
            shown = in_extent(map, index, extents, id, shown);
        }
    }
    let shown = select(elsewhere, u64::from(OVERFLOW_ID), shown);
    (shown as u32, elsewhere)
}

/// `id` as the extent at `index` maps it, if the map has that extent and the extent contains `id`;
/// else `otherwise`. `extents` is the number of extents in the map.
#[inline(always)]
fn in_extent(map: KernelPtr, index: u32, extents: u32, id: u32, otherwise: u64) -> u64 {
    let extent = map.field(offset!(uid_gid_map_extent) + index * offset!(uid_gid_extent_size));
    let lower_first: u32 = extent.load(field!(uid_gid_extent_lower_first));
    let count: u32 = extent.load(field!(uid_gid_extent_count));
    let first: u32 = extent.load(field!(uid_gid_extent_first));
    let within = id.wrapping_sub(lower_first);
    let hit = less(within, count) & less(index, extents);
    select(hit, u64::from(first.wrapping_add(within)), otherwise)
}

/// The process id of `task` in the PID namespace at depth `level`: the task's own, or one above it.
/// 0 if the task's own PID namespace is less deep than `level`.
///
/// Read by helper: `numbers` is indexed by depth, and the verifier accepts no load at a variable
/// offset from a BTF pointer. The helper that [`ns_tgid`] uses for the current task takes 100 ns
/// longer.
#[inline(always)]
pub(crate) fn ns_pid(task: Task, level: u32) -> u32 {
    let pid = task.process_pid();
    let depth: u32 = pid.load(field!(pid_level));
    let mut nr = 0u32;
    // Levels are below 64. Before 6.12 the verifier accepts only bounded additions to a BTF
    // pointer, even if the sum is only passed to a helper. The offset is computed again for each
    // task, because the verifier forgets the bounds of a value on the stack.
    let offset = u64::from(offset!(pid_numbers))
        + (anew(u64::from(level)) & 63) * u64::from(offset!(upid_size))
        + u64::from(offset!(upid_nr));
    let address = opaque(pid.address() as u64).wrapping_add(offset);
    // If the depth does not exist, the value read here is not used. A branch on the depth would
    // double the verifier's work. SAFETY: four bytes into a u32; a fault gives an error and leaves
    // 0.
    unsafe { bpf_probe_read_kernel((&raw mut nr).cast(), 4, address as *const _) };
    select(less(depth, level), 0, u64::from(nr)) as u32
}

/// The current process's id in the PID namespace `inum`, if that is the process's own namespace;
/// else 0.
#[inline(always)]
pub(crate) fn ns_tgid(inum: u32) -> u32 {
    let mut info = bpf_pidns_info { pid: 0, tgid: 0 };
    let dev = config!(nsfs_dev);
    // SAFETY: the helper writes `size_of::<bpf_pidns_info>()` bytes, or fails.
    let result = unsafe {
        bpf_get_ns_current_pid_tgid(
            dev,
            u64::from(inum),
            &raw mut info,
            size_of::<bpf_pidns_info>() as u32,
        )
    };
    if result == 0 { info.tgid } else { 0 }
}
