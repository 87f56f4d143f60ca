//! "Ours?": whether the PID namespace of a task is a target or lies below one.

use aya_ebpf::{
    bindings::{BPF_NOEXIST, BPF_RB_NO_WAKEUP},
    helpers::bpf_ktime_get_boot_ns,
};
use exectrail_common::{
    record::{KIND_NS_FOUND, NsFound, Prefix},
    target::{BELOW_TARGET, DECISION_SLOTS, DISMISSAL_SLOTS, HIERARCHY_NONE, NsId, NsState},
};

use crate::{
    atomic::add,
    branchless::{less, select},
    kernel::{MAX_LEVELS, PidNs, Task, own},
    lane::{Doing, Lane},
    maps::{
        CHANGES, CONTROL, DECISIONS, DISMISSALS, Decision, Dismissal, EVIDENCE, OWN_SCOPE, RING,
        STATS, TARGETS,
    },
    pod,
};

/// Where an exec that is ours happened.
pub(crate) struct Scope {
    /// Inum of the PID namespace of the task.
    pub(crate) pid_ns: u32,
    /// Its depth.
    pub(crate) level: u32,
    /// Inum of the target that makes it ours.
    pub(crate) target: u32,
}

/// A dismissal is looked into again after this many execs: a reaper may have joined our network
/// namespace since (`setns`), or have been moved to the pod's cgroup, which changes no generation,
/// while others stay where they were.
const BELIEVE: u32 = 64;

/// Stands for the target of a namespace of the pod that has found no room in [`TARGETS`].
const NO_ROOM: u32 = u32::MAX;

/// The table of decisions on what a thread does: one for exits of their own where `exit` may
/// preempt `exec`.
#[inline(always)]
fn table(doing: Doing) -> u32 {
    match doing {
        Doing::Exit => u32::from(own!(lanes) != 1 && own!(exit_events) != 0),
        Doing::Exec | Doing::FailedExec => 0,
    }
}

/// Counts what a process of a namespace without room in [`TARGETS`] has done: it is lost.
#[inline(always)]
fn count_unplaced(doing: Doing) {
    let Some(stats) = STATS.get_ptr_mut(0) else {
        return;
    };
    // Atomically, as other lanes come here, too.
    // SAFETY: a pointer to a live map value, aligned u64s.
    unsafe {
        let count = match doing {
            Doing::Exec => &raw mut (*stats).unplaced_execs,
            Doing::Exit => &raw mut (*stats).unplaced_exits,
            Doing::FailedExec => &raw mut (*stats).unplaced_failed_execs,
        };
        add(count, 1);
    }
}

/// Makes all decisions lapse.
#[inline(always)]
fn changed() {
    if let Some(changes) = CONTROL.get_ptr_mut(CHANGES) {
        // Atomically, or the change that another CPU makes meanwhile would be taken back.
        // SAFETY: a pointer to a live map value, an aligned u64.
        unsafe { add(changes.cast(), 1) };
    }
}

/// Dates decisions.
#[inline(always)]
fn generation() -> Option<u32> {
    let (control, changes) = (CONTROL.get_ptr(0)?, CONTROL.get_ptr(CHANGES)?);
    // SAFETY: pointers to live map values, aligned integers, which BPF loads whole.
    let (told, found) = unsafe {
        (
            core::ptr::read_volatile(&raw const (*control).generation),
            core::ptr::read_volatile(changes.cast::<u64>()),
        )
    };
    Some(told.wrapping_add(found as u32))
}

/// What ties a task to a pod, as a task that is tied by something else has another of: the
/// addresses of its set of namespaces and of its set of cgroups.
#[derive(Clone, Copy)]
struct Sets {
    nsproxy: u64,
    css_set: u64,
}

impl Sets {
    #[inline(always)]
    fn of(task: Task) -> Self {
        // A constant to the verifier: where cgroups cannot be read, nothing of this is there.
        let css_set = if own!(hierarchy) == HIERARCHY_NONE {
            0
        } else {
            task.css_set()
        };
        Self {
            nsproxy: task.nsproxy(),
            css_set,
        }
    }
}

/// The place of `task` among the dismissals, its sets and the namespace that its children will be
/// in; and whether that is dismissed.
///
/// The sets are part of it, so that a first process which joins our network namespace or is moved
/// to the pod's cgroup is looked at anew, with whatever it forks from then on: by that it has other
/// sets.
#[inline(always)]
fn dismissal(task: Task, generation: u32, table: u32) -> Option<(*mut Dismissal, bool)> {
    let Sets { nsproxy, css_set } = Sets::of(task);
    let below = task.pid_ns_for_children();
    let (ns, start) = (below.address(), below.reaper().start_boottime());
    // A set is not smaller than 64 bytes.
    let index = (nsproxy >> 6 ^ nsproxy >> 16 ^ css_set >> 6) as u32 & (DISMISSAL_SLOTS - 1);
    let slot = DISMISSALS.get_ptr_mut(table * DISMISSAL_SLOTS + index)?;
    // SAFETY: a pointer to this CPU's live map value, whose fields BPF loads whole.
    let found = unsafe {
        core::ptr::read_volatile(&raw const (*slot).ns) == ns
            && core::ptr::read_volatile(&raw const (*slot).nsproxy) == nsproxy
            && core::ptr::read_volatile(&raw const (*slot).css_set) == css_set
            && core::ptr::read_volatile(&raw const (*slot).start) == start
            && core::ptr::read_volatile(&raw const (*slot).generation) == generation
            && core::ptr::read_volatile(&raw const (*slot).believed) < BELIEVE
    };
    Some((slot, found))
}

/// Whether the namespace of `task` is dismissed.
#[inline(always)]
pub(crate) fn is_dismissed(task: Task) -> bool {
    let Some(generation) = generation() else {
        return false;
    };
    matches!(
        dismissal(task, generation, table(Doing::Exec)),
        Some((_, true))
    )
}

/// The scope of `task`, if it is in a target. Decisions are kept, but for those of later lanes,
/// which come so seldom that a cache would be memory wasted.
#[inline(always)]
pub(crate) fn scope<const LANE: u32>(task: Task, _: Lane<LANE>, doing: Doing) -> Option<Scope> {
    if LANE == 0 {
        cached(task, doing)
    } else {
        look_up(task, doing)
    }
}

/// The same with the cache.
#[inline(always)]
fn cached(task: Task, doing: Doing) -> Option<Scope> {
    let table = table(doing);
    let level = task.pid_level();
    // The init PID namespace is never a target: user space refuses it.
    if level == 0 {
        return None;
    }
    let generation = generation()?;
    // Most execs of a node are in other pods and return here, with next to nothing loaded. If the
    // namespace that children will be in is not in a target, neither is any above it, and the task
    // is in one of these.
    let below = task.pid_ns_for_children();
    let (slot, dismissed) = dismissal(task, generation, table)?;
    if dismissed {
        // SAFETY: as in `dismissal`.
        unsafe { (*slot).believed += 1 };
        return None;
    }
    let ns = below.at(level);
    let id = ns.id();
    let target = decided(ns, id, generation, table)?;
    if target == NO_ROOM {
        // Not dismissed: each exec counts.
        count_unplaced(doing);
        return None;
    }
    if target != 0 {
        return Some(Scope {
            pid_ns: id.inum,
            level,
            target,
        });
    }
    if ns.address() == below.address() {
        let sets = Sets::of(task);
        // SAFETY: as in `dismissal`. In this order, whoever comes in between finds none of the two.
        unsafe {
            core::ptr::write_volatile(&raw mut (*slot).ns, 0);
            core::ptr::write_volatile(&raw mut (*slot).nsproxy, sets.nsproxy);
            core::ptr::write_volatile(&raw mut (*slot).css_set, sets.css_set);
            core::ptr::write_volatile(&raw mut (*slot).start, ns.reaper().start_boottime());
            core::ptr::write_volatile(&raw mut (*slot).generation, generation);
            core::ptr::write_volatile(&raw mut (*slot).believed, 0);
            core::ptr::write_volatile(&raw mut (*slot).ns, ns.address());
        }
    }
    None
}

/// The target that `ns` lies in, from the cache or by a walk; 0 if none.
#[inline(always)]
fn decided(ns: PidNs, id: NsId, generation: u32, table: u32) -> Option<u32> {
    let slot = DECISIONS.get_ptr_mut(table * DECISION_SLOTS + (id.inum & (DECISION_SLOTS - 1)))?;
    // SAFETY: a pointer to this CPU's live map value; only the first lane comes here, which has it
    // for itself.
    let decision = unsafe { &mut *slot };
    if decision.id.inum == id.inum
        && decision.id.start == id.start
        && decision.generation == generation
    {
        return Some(decision.target);
    }
    let target = decide(ns, id, CONTROL.get(0)?.discovery != 0);
    if target != 0 && target != NO_ROOM {
        *decision = Decision {
            id,
            generation,
            target,
        };
    }
    Some(target)
}

/// The same without the cache, for programs that may be preempted and so must not use what is the
/// CPU's.
#[inline(always)]
pub(crate) fn look_up(task: Task, doing: Doing) -> Option<Scope> {
    let level = task.pid_level();
    if level == 0 {
        return None;
    }
    let ns = task.active_pid_ns(level);
    let id = ns.id();
    let target = decide(ns, id, CONTROL.get(0)?.discovery != 0);
    if target == NO_ROOM {
        count_unplaced(doing);
        return None;
    }
    (target != 0).then_some(Scope {
        pid_ns: id.inum,
        level,
        target,
    })
}

/// The inum of the target that `ns` lies in, made one where discovery says so; 0 if none,
/// [`NO_ROOM`] if there should be one.
///
/// What is carried through the walk multiplies the verifier's work, so rather than branch on
/// "of the pod?", the outermost such namespace is kept by masks.
#[inline(always)]
fn decide(ns: PidNs, id: NsId, discovery: bool) -> u32 {
    // Nothing is evidence until `own_scope` has told our own depth.
    let (floor, identity) = match OWN_SCOPE.get(0) {
        Some(own) if own.is_known() => (own.level.max(1), own.identity()),
        _ => (u32::MAX, 0),
    };
    // Its depth is all that is carried.
    let mut outermost_level = 0;
    let mut target = 0;
    let mut above = ns;
    for _ in 0..MAX_LEVELS {
        let level = above.level();
        if level == 0 {
            break;
        }
        let id = above.id();
        if let Some(state) = TARGETS.get_ptr_mut(id) {
            // Of a target that user space knows by number and start, nobody has seen the address.
            // SAFETY: a pointer to a live map value, an aligned u64.
            unsafe { (&raw mut (*state).address).write_volatile(above.address()) };
            target = id.inum;
            break;
        }
        let ties = pod::ties(above, id.inum, level, floor, identity);
        outermost_level = select(less(0, ties as u32), u64::from(level), outermost_level);
        above = above.parent();
    }
    if target != 0 {
        if target != id.inum {
            note_below(ns);
        }
        return target;
    }
    if outermost_level == 0 {
        return 0;
    }
    // One after the other in the same place: a program has 512 bytes of stack.
    let (mut seen, mut state) = observed(ns.at(outermost_level as u32), floor, identity);
    let target = if discovery {
        found(&seen, &state)
    } else {
        // A full map evicts; the only other failure is memory, and then the next exec tries again.
        let _ = EVIDENCE.insert(seen, state, 0);
        0
    };
    if id.inum != seen.inum {
        (seen, state) = observed(ns, floor, identity);
        if state.by != 0 {
            let _ = EVIDENCE.insert(seen, state, 0);
        }
    }
    target
}

/// Notes that `ns` lies below a target, for who announces it.
#[inline(always)]
fn note_below(ns: PidNs) {
    let (seen, mut state) = observed(ns, u32::MAX, 0);
    state.by = BELOW_TARGET;
    let _ = EVIDENCE.insert(seen, state, 0);
}

/// Identity of `ns`, and what is to be known of it.
#[inline(always)]
fn observed(ns: PidNs, floor: u32, identity: u32) -> (NsId, NsState) {
    let id = ns.id();
    let level = ns.level();
    let state = NsState {
        // SAFETY: the helper takes no arguments and always succeeds.
        since: unsafe { bpf_ktime_get_boot_ns() },
        address: ns.address(),
        level,
        by: pod::ties(ns, id.inum, level, floor, identity) as u32,
    };
    (id, state)
}

/// Makes `id` a target; its inum, or [`NO_ROOM`].
#[inline(always)]
fn found(id: &NsId, state: &NsState) -> u32 {
    match TARGETS.insert(id, state, u64::from(BPF_NOEXIST)) {
        // Another CPU was first where it exists.
        result @ (Ok(()) | Err(EEXIST)) => {
            if result.is_ok() {
                tell(id, state);
            }
            changed();
            id.inum
        }
        Err(_) => NO_ROOM,
    }
}

/// Reports to user space a target that it did not make.
#[inline(always)]
fn tell(id: &NsId, state: &NsState) {
    // With no room in the ring, user space learns of it by the first record from there.
    let Some(mut record) = RING.reserve::<NsFound>(0) else {
        return;
    };
    record.write(NsFound {
        prefix: Prefix {
            kind: KIND_NS_FOUND,
            ..Prefix::default()
        },
        id: *id,
        ktime: state.since,
        level: state.level,
        by: state.by,
    });
    record.submit(u64::from(BPF_RB_NO_WAKEUP));
}

/// `-EEXIST` as helpers return it.
const EEXIST: i32 = -17;
