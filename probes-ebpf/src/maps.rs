//! Everything the probes keep, and share with user space.

use aya_ebpf::{
    macros::map,
    maps::{Array, HashMap, LruHashMap, PerCpuArray, RingBuf},
};
use exectrail_common::{
    exec_calls::CALLS,
    record::{
        ArgvPiece, CpuStats, EARLY_BYTES, Exec, FailedExec, FailedStats, HEAD_ARGV, LANES,
        MAX_FILENAME, PIECE_ARGV,
    },
    target::{
        Control, DECISION_SLOTS, DISMISSAL_SLOTS, EndCheck, MAX_TARGETS, NsId, NsState, OwnCgroup,
        OwnScope,
    },
};

use crate::strings::Strings;

/// The records' way to user space. Its size is set before load (`--ring-bytes`).
#[map]
pub(crate) static RING: RingBuf = RingBuf::with_byte_size(4 << 20, 0);

/// Namespaces whose execs are recorded.
#[map]
pub(crate) static TARGETS: HashMap<NsId, NsState> = HashMap::with_max_entries(MAX_TARGETS, 0);

/// Namespaces of the pod that were seen to exec. Least recently used ones
/// make room: an announcement that comes too late for its evidence execs again and is seen again.
#[map]
pub(crate) static EVIDENCE: LruHashMap<NsId, NsState> =
    LruHashMap::with_max_entries(MAX_TARGETS, 0);

/// User space's word and, at [`CHANGES`] beside it, in the same cache line, the probes' own.
#[map]
pub(crate) static CONTROL: Array<Control> = Array::with_max_entries(2, 0);

/// Where a u64 in [`CONTROL`] counts what makes the probes' decisions lapse: targets that they
/// added.
pub(crate) const CHANGES: u32 = 1;

/// What [`crate::own_scope`] found.
#[map]
pub(crate) static OWN_SCOPE: Array<OwnScope> = Array::with_max_entries(1, 0);

/// Counters, by lane.
#[map]
pub(crate) static STATS: PerCpuArray<CpuStats> = PerCpuArray::with_max_entries(LANES, 0);

/// Slots of [`SEEN`], a power of two.
pub(crate) const SEEN_SLOTS: u32 = 1 << 16;

/// The last thing that a lane has seen of a thread, indexed by `pid % SEEN_SLOTS`; see
/// [`crate::lane`]. User space makes it one slot where there is but one lane.
#[map]
pub(crate) static SEEN: Array<u64> = Array::with_max_entries(SEEN_SLOTS, 0);

/// A namespace that is ours.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Decision {
    pub(crate) id: NsId,
    pub(crate) generation: u32,
    /// The target's inum.
    pub(crate) target: u32,
}

/// Namespaces that are ours, indexed by `inum % DECISION_SLOTS`; behind the slots of `exec` those
/// of `exit`. Per CPU, or a reader could see half of another namespace's decision, and used by
/// first lanes alone. User space makes it one table unless both record, and can preempt each other.
#[map]
pub(crate) static DECISIONS: PerCpuArray<Decision> =
    PerCpuArray::with_max_entries(2 * DECISION_SLOTS, 0);

/// A namespace that is no target, as tasks with that set of namespaces and that set of cgroups are
/// in it, all known by address.
#[repr(C)]
pub(crate) struct Dismissal {
    pub(crate) ns: u64,
    pub(crate) nsproxy: u64,
    pub(crate) css_set: u64,
    /// When the reaper's thread was forked: another namespace at the same address has another.
    pub(crate) start: u64,
    pub(crate) generation: u32,
    /// How often it has been believed.
    pub(crate) believed: u32,
}

/// Dismissals, indexed by the address of the set of namespaces, and otherwise like [`DECISIONS`].
#[map]
pub(crate) static DISMISSALS: PerCpuArray<Dismissal> =
    PerCpuArray::with_max_entries(2 * DISMISSAL_SLOTS, 0);

/// A comm on its way out.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct OldComm {
    pub(crate) comm: [u64; 2],
    pub(crate) tgid: u32,
    /// Where in [`EARLY`] the new stack is, if it is there.
    pub(crate) slot: u32,
}

/// Slots of [`COMMS`], a power of two.
pub(crate) const COMM_SLOTS: u32 = 4096;

/// Comms before exec, indexed by `tgid % COMM_SLOTS`: an array slot costs a tenth of an LRU entry.
#[map]
pub(crate) static COMMS: Array<OldComm> = Array::with_max_entries(COMM_SLOTS, 0);

/// The lowest part of a new program's stack; see [`crate::early`].
#[repr(C)]
pub(crate) struct Early {
    /// When its process was forked; 0 while it is written.
    pub(crate) start: u64,
    /// How often the process and its ancestors had executed something before this exec.
    pub(crate) execs: u64,
    /// How far below the upper end of the stack it begins, bytes.
    pub(crate) below_top: u64,
    /// How many bytes there are.
    pub(crate) len: u64,
    pub(crate) bytes: [u8; EARLY_BYTES],
}

/// By CPU, and in it by the low bits of the process id. User space sets its size before load.
#[map]
pub(crate) static EARLY: Array<Early> = Array::with_max_entries(1, 0);

/// A question of user space, answered by [`crate::end_check`].
#[map]
pub(crate) static END_CHECK: Array<EndCheck> = Array::with_max_entries(1, 0);

/// The sidecar's own cgroup and those above it; see [`crate::own_scope`].
#[map]
pub(crate) static OWN_CGROUPS: Array<OwnCgroup> =
    Array::with_max_entries(exectrail_common::target::OWN_CGROUPS, 0);

/// Room to put a record together. The filename, what was kept of argv, and the rest of argv fit
/// whatever the others' lengths, which is what lets the verifier bound each alone; so do filename,
/// argv and the stack's filename.
#[repr(C, align(8))]
pub(crate) struct Scratch {
    pub(crate) strings: Strings,
    pub(crate) head: Exec,
    pub(crate) tail: [u8; 2 * MAX_FILENAME + HEAD_ARGV],
}

/// See [`Scratch`]. By lane.
#[map]
pub(crate) static SCRATCH: PerCpuArray<Scratch> = PerCpuArray::with_max_entries(LANES, 0);

/// The same room for a piece of argv, once the record of its exec has been written.
#[repr(C, align(8))]
pub(crate) struct PieceScratch {
    pub(crate) head: ArgvPiece,
    pub(crate) bytes: [u8; PIECE_ARGV],
}

const _: () = assert!(size_of::<PieceScratch>() <= size_of::<Scratch>());
// Filename, what was kept of argv, and the rest of argv.
const _: () = assert!(HEAD_ARGV <= MAX_FILENAME);

/// Counters of failed execs, one a call. User space makes this and the next map smaller where
/// failed execs are not recorded.
#[map]
pub(crate) static FAILED_STATS: PerCpuArray<FailedStats> =
    PerCpuArray::with_max_entries(CALLS as u32, 0);

/// Room to put the record of a failed exec together.
#[repr(C, align(8))]
pub(crate) struct FailedScratch {
    pub(crate) head: FailedExec,
    pub(crate) filename: [u8; MAX_FILENAME],
}

/// See [`FailedScratch`]. One a call: a program on the exit of a function can be preempted, and
/// while it is, the kernel runs those of other functions on its CPU, but not itself.
#[map]
pub(crate) static FAILED: Array<FailedScratch> = Array::with_max_entries(1, 0);
