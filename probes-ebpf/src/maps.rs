//! The maps of the probes, except those of [`crate::rules`] and [`crate::bucket`]. User space reads
//! and writes some of them.

use aya_ebpf::{
    macros::map,
    maps::{Array, HashMap, LruHashMap, PerCpuArray, RingBuf},
};
use exectrail_common::{
    counters::{CpuStats, FailedStats, LANES},
    exec_calls::CALLS,
    record::{
        ArgvPiece, EARLY_BYTES, Exec, FAILED_ARGV, FailedExec, HEAD_ARGV, MAX_FILENAME, MAX_PATH,
        PIECE_ARGV,
    },
    sidecar_scope::{SidecarCgroup, SidecarScope},
    target::{Control, DECISION_SLOTS, DISMISSAL_SLOTS, EndCheck, MAX_TARGETS, NsId, NsState},
};

/// The ring with the records for user space. Its size is set before load (`--ring-bytes`).
#[map]
pub(crate) static RING: RingBuf = RingBuf::with_byte_size(4 << 20, 0);

/// Namespaces whose execs are recorded.
#[map]
pub(crate) static TARGETS: HashMap<NsId, NsState> = HashMap::with_max_entries(MAX_TARGETS, 0);

/// Namespaces, of the pod or below a target, in which an exec was seen. The map evicts the least
/// recently used ones. If the evidence of an announcement is evicted, the client's next try
/// restores it: each try executes a program.
#[map]
pub(crate) static EVIDENCE: LruHashMap<NsId, NsState> =
    LruHashMap::with_max_entries(MAX_TARGETS, 0);

/// Values that user space sets and, in the same cache line, values that the probes set: at
/// [`CHANGES`] and [`LAST_WAKE_UP`].
#[map]
pub(crate) static CONTROL: Array<Control> = Array::with_max_entries(3, 0);

/// Index in [`CONTROL`] of a u64 that the probes increment when they find a target. Each increment
/// makes the cached decisions lapse.
pub(crate) const CHANGES: u32 = 1;

/// Index in [`CONTROL`] of a u64, the time of the last wake-up (boot clock). It rarely changes, so
/// it stays in the cache of each CPU.
pub(crate) const LAST_WAKE_UP: u32 = 2;

/// The findings of [`crate::sidecar_scope`].
#[map]
pub(crate) static SIDECAR_SCOPE: Array<SidecarScope> = Array::with_max_entries(1, 0);

/// Counters, by lane.
#[map]
pub(crate) static STATS: PerCpuArray<CpuStats> = PerCpuArray::with_max_entries(LANES, 0);

/// Number of slots of [`SEEN`]; a power of two.
pub(crate) const SEEN_SLOTS: u32 = 1 << 16;

/// The last event of a thread that a lane has seen, indexed by `pid % SEEN_SLOTS`; see
/// [`crate::lane`]. User space reduces it to one slot if there is only one lane.
#[map]
pub(crate) static SEEN: Array<u64> = Array::with_max_entries(SEEN_SLOTS, 0);

/// The cached decision that a namespace is in a target.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Decision {
    pub(crate) id: NsId,
    pub(crate) generation: u32,
    /// The target's inum.
    pub(crate) target: u32,
}

/// Cached [`Decision`]s, indexed by `inum % DECISION_SLOTS`; the slots of `exit` follow those of
/// `exec`. The map is per CPU, or a reader could see half of another namespace's decision. Only
/// first lanes use it. User space gives it slots for `exit` only if both programs record and can
/// preempt each other.
#[map]
pub(crate) static DECISIONS: PerCpuArray<Decision> =
    PerCpuArray::with_max_entries(2 * DECISION_SLOTS, 0);

/// The cached decision that a namespace is neither a target nor below one. It applies to tasks with
/// one set of namespaces and one set of cgroups, all identified by address.
#[repr(C)]
pub(crate) struct Dismissal {
    pub(crate) ns: u64,
    pub(crate) nsproxy: u64,
    pub(crate) css_set: u64,
    /// Start time of the reaper's thread: another namespace at the same address has another start
    /// time.
    pub(crate) start: u64,
    pub(crate) generation: u32,
    /// Number of times that this dismissal was used.
    pub(crate) uses: u32,
}

/// Dismissals, indexed by the addresses of both sets. The slots are as in [`DECISIONS`], but all
/// lanes of `rename` read them, too.
#[map]
pub(crate) static DISMISSALS: PerCpuArray<Dismissal> =
    PerCpuArray::with_max_entries(2 * DISMISSAL_SLOTS, 0);

/// A process's comm and capabilities before an exec changes them.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct OldComm {
    pub(crate) comm: [u64; 2],
    /// Start time of the process.
    pub(crate) start: u64,
    /// The permitted capabilities.
    pub(crate) caps: u64,
    /// Number of execs of the process and its ancestors before this exec, modulo 2³².
    pub(crate) execs: u32,
    /// Slot in [`EARLY`] of the new stack, or a number that is no slot.
    pub(crate) slot: u32,
}

/// Number of slots of [`COMMS`], a power of two.
pub(crate) const COMM_SLOTS: u32 = 4096;

/// Comms before exec, indexed by `tgid % COMM_SLOTS`: an array is ten times as fast as an LRU map.
#[map]
pub(crate) static COMMS: Array<OldComm> = Array::with_max_entries(COMM_SLOTS, 0);

/// The lowest part of a new program's stack; see [`crate::early`].
#[repr(C)]
pub(crate) struct Early {
    /// Start time of the process; 0 while the slot is free or being written.
    pub(crate) start: u64,
    /// Number of execs of the process and its ancestors before this exec.
    pub(crate) execs: u64,
    /// Distance from the beginning of the copy to the upper end of the stack, bytes.
    pub(crate) below_top: u64,
    /// Number of bytes that were copied.
    pub(crate) len: u32,
    /// Number of execs that wanted this slot while it was taken. A process that takes the slot sets
    /// this number to 0.
    pub(crate) found_taken: u32,
    pub(crate) bytes: [u8; EARLY_BYTES],
}

/// Each CPU has a first slot for any process, and other slots, chosen by the process id. User space
/// sets the map's size before load.
#[map]
pub(crate) static EARLY: Array<Early> = Array::with_max_entries(1, 0);

/// A question of user space, answered by [`crate::end_check`].
#[map]
pub(crate) static END_CHECK: Array<EndCheck> = Array::with_max_entries(1, 0);

/// The sidecar's own cgroup and those above it; see [`crate::sidecar_scope`].
#[map]
pub(crate) static SIDECAR_CGROUPS: Array<SidecarCgroup> =
    Array::with_max_entries(exectrail_common::sidecar_scope::MAX_SIDECAR_CGROUPS, 0);

/// Arguments and results of [`crate::strings::copy_strings`].
#[repr(C)]
pub(crate) struct Strings {
    /// Address of the filename: the kernel's own copy.
    pub(crate) filename: u64,
    /// Address of the filename on the new stack.
    pub(crate) exec: u64,
    /// Address of argv.
    pub(crate) arg_start: u64,
    /// Number of bytes of argv to copy.
    pub(crate) wanted: u64,
    /// Start time of the process.
    pub(crate) start: u64,
    /// Number of execs of the process and its ancestors, this exec included.
    pub(crate) execs: u64,
    /// Slot in the map `EARLY` of the new stack, or a number that is no slot.
    pub(crate) slot: u32,
    /// Flags for strings that could not be read.
    pub(crate) flags: u32,
    /// Length of the filename, after the paths in the tail.
    pub(crate) filename_len: u32,
    /// Length of argv, after the filename.
    pub(crate) argv_len: u32,
    /// Number of bytes of argv that were read early.
    pub(crate) argv_early: u32,
    /// Length of the paths, at the beginning of the tail.
    pub(crate) paths_len: u32,
}

/// Longest name of a file, with its NUL (`NAME_MAX`, include/uapi/linux/limits.h).
pub(crate) const MAX_NAME: usize = 256;

/// Room for the paths at the beginning of the scratch value's tail. The last name of a path can
/// extend beyond [`MAX_PATH`].
pub(crate) const PATHS: usize = 2 * (MAX_PATH + MAX_NAME);

/// The addresses in a `struct path` of the kernel (a `struct vfsmount` and a `struct dentry`), and
/// the root of the mount.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct KernelPath {
    pub(crate) mnt: u64,
    pub(crate) dentry: u64,
    /// The entry at the root of the mount.
    pub(crate) mount_root: u64,
}

/// Bytes of a short name inside its `struct dentry`, with its NUL. Kernels have room for 32 or more
/// (`DNAME_INLINE_LEN`, include/linux/dcache.h, Linux 5.8 to 7.3).
pub(crate) const SHORT_NAME: usize = 32;

/// The part of a `struct dentry` that is read. In every kernel these fields follow each other
/// (include/linux/dcache.h, Linux 5.8 to 7.3); user space checks that
/// ([`exectrail_common::offsets::Offsets::has_paths`]).
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    /// `d_hash.pprev`: 0 if the entry is in no directory.
    pub(crate) pprev: u64,
    /// `d_parent`
    pub(crate) parent: u64,
    /// `d_name.hash`
    pub(crate) hash: u32,
    /// `d_name.len`
    pub(crate) length: u32,
    /// `d_name.name`
    pub(crate) name: u64,
    /// `d_inode`
    pub(crate) inode: u64,
    /// The beginning of `d_shortname`.
    pub(crate) short_name: [u64; SHORT_NAME / 8],
}

/// Arguments and results of [`crate::paths::copy_paths`].
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Paths {
    /// The working directory.
    pub(crate) cwd: KernelPath,
    /// The root of the process.
    pub(crate) root: KernelPath,
    /// The point that the copy of the path has reached.
    pub(crate) at: KernelPath,
    /// The entry that was read last.
    pub(crate) entry: Entry,
    /// [`exectrail_common::record::PATH_DELETED`] if the path's end was deleted.
    pub(crate) deleted: u64,
    /// Offset in the tail of the path that is being copied.
    pub(crate) base: u64,
    /// Length of the names that were copied so far, bytes.
    pub(crate) len: u64,
    /// Number of names and mounts so far.
    pub(crate) steps: u64,
    /// [`exectrail_common::record::PATH_DELETED`] if the working directory was deleted.
    pub(crate) cwd_deleted: u64,
    /// 1 if the working directory is wanted.
    pub(crate) wants_cwd: u64,
    pub(crate) exe_len: u32,
    pub(crate) cwd_len: u32,
    pub(crate) exe_flags: u32,
    pub(crate) cwd_flags: u32,
}

/// Memory for building a record. After the paths it has room for the filename, the early argv and
/// the late argv, each at its maximum length. So the verifier can bound each length separately. The
/// same room suffices for the filename, argv and the filename on the stack.
#[repr(C, align(8))]
pub(crate) struct Scratch {
    /// Ids of cgroups whose names were written recently, indexed by `id % KNOWN_CGROUPS`. This
    /// field is first, and so in a page that each exec uses anyway: another page would cost another
    /// address translation.
    pub(crate) known_cgroups: [u64; KNOWN_CGROUPS],
    pub(crate) strings: Strings,
    pub(crate) paths: Paths,
    pub(crate) head: Exec,
    pub(crate) tail: [u8; PATHS + 2 * MAX_FILENAME + HEAD_ARGV],
}

/// Length of [`Scratch::known_cgroups`]; a power of two.
pub(crate) const KNOWN_CGROUPS: usize = 8;

/// See [`Scratch`]. By lane.
#[map]
pub(crate) static SCRATCH: PerCpuArray<Scratch> = PerCpuArray::with_max_entries(LANES, 0);

/// The memory of [`Scratch`], used for a piece of argv. Pieces are written after the record of
/// their exec.
#[repr(C, align(8))]
pub(crate) struct PieceScratch {
    known_cgroups: [u64; KNOWN_CGROUPS],
    pub(crate) head: ArgvPiece,
    pub(crate) bytes: [u8; PIECE_ARGV],
}

const _: () = assert!(size_of::<PieceScratch>() <= size_of::<Scratch>());
// If HEAD_ARGV is at most MAX_FILENAME, the tail of `Scratch` has room for the filename, the early
// argv and the late argv.
const _: () = assert!(HEAD_ARGV <= MAX_FILENAME);

/// Counters of failed execs, one entry per call. User space makes this map smaller if failed execs
/// are not recorded.
#[map]
pub(crate) static FAILED_STATS: PerCpuArray<FailedStats> =
    PerCpuArray::with_max_entries(CALLS as u32, 0);

/// Memory for building the record of a failed exec.
#[repr(C, align(8))]
pub(crate) struct FailedScratch {
    pub(crate) head: FailedExec,
    /// The filename and then argv. The verifier bounds the length of argv so far and the length of
    /// the next word separately, so each of them needs room for the maximum length of argv.
    pub(crate) tail: [u8; MAX_FILENAME + 2 * FAILED_ARGV],
}

/// See [`FailedScratch`]. If failed execs are recorded, user space makes the map larger: one entry
/// per CPU and call. A program at the exit of a function can be preempted. Meanwhile the kernel can
/// run programs of other functions on the CPU, but not the same program.
#[map]
pub(crate) static FAILED: Array<FailedScratch> = Array::with_max_entries(1, 0);
