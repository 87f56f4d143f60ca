//! Decides whether the PID namespace of a task is a target or is below one.

use aya_ebpf::{
    bindings::{BPF_NOEXIST, BPF_RB_NO_WAKEUP},
    helpers::bpf_ktime_get_boot_ns,
};
use exectrail_common::{
    probe_config::HIERARCHY_NONE,
    record::{KIND_NS_FOUND, NsFound, Prefix},
    target::{BELOW_TARGET, DECISION_SLOTS, DISMISSAL_SLOTS, NsId, NsState},
};

use crate::{
    atomic::add,
    branchless::{less, select},
    config::config,
    kernel::{MAX_PID_NS_LEVELS, PidNs, Task},
    lane::{Event, Lane},
    maps::{
        CHANGES, CONTROL, DECISIONS, DISMISSALS, Decision, Dismissal, EVIDENCE, RING,
        SIDECAR_SCOPE, STATS, TARGETS,
    },
    pod,
};

/// The namespace and the target of an event.
pub(crate) struct Scope {
    /// Inum of the PID namespace of the task.
    pub(crate) pid_ns: u32,
    /// Depth of that namespace.
    pub(crate) level: u32,
    /// Inum of the target: that namespace or one above it.
    pub(crate) target: u32,
}

/// Why an event has no [`Scope`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outside {
    /// The namespace of the task is dismissed, or is the init PID namespace.
    Dismissed,
    /// The namespace is neither, but is in no target or has no room in [`TARGETS`].
    LookedUp,
}

/// After this many events, a dismissed namespace is looked up again. Meanwhile the reaper may have
/// joined our network namespace (`setns`), or may have been moved to the pod's cgroup. Neither
/// changes the generation, and the other tasks of the namespace keep their [`Sets`].
const DISMISSAL_USES: u32 = 64;

/// Stands for the target of a namespace of the pod for which [`TARGETS`] has no room.
const NO_ROOM: u32 = u32::MAX;

/// Number of the tables of decisions and dismissals to use for an event. Exits have their own
/// tables if `exit` can preempt `exec`.
#[inline(always)]
fn table(event: Event) -> u32 {
    match event {
        Event::Exit => u32::from(config!(lanes) != 1 && config!(exit_events) != 0),
        Event::Exec | Event::FailedExec => 0,
    }
}

/// Counts an event in a namespace without room in [`TARGETS`] as lost.
#[inline(always)]
fn count_full_table(event: Event) {
    let Some(stats) = STATS.get_ptr_mut(0) else {
        return;
    };
    // Atomic, because other lanes write here too. SAFETY: a pointer to a live map value, aligned
    // u64s.
    unsafe {
        let count = match event {
            Event::Exec => &raw mut (*stats).full_table_execs,
            Event::Exit => &raw mut (*stats).full_table_exits,
            Event::FailedExec => &raw mut (*stats).full_table_failed_execs,
        };
        add(count, 1);
    }
}

/// Invalidates all cached decisions.
#[inline(always)]
fn changed() {
    if let Some(changes) = CONTROL.get_ptr_mut(CHANGES) {
        // Atomic, or a concurrent change by another CPU would be lost. SAFETY: a pointer to a live
        // map value, an aligned u64.
        unsafe { add(changes.cast(), 1) };
    }
}

/// The generation of cached decisions.
#[inline(always)]
fn generation() -> Option<u32> {
    let (control, changes) = (CONTROL.get_ptr(0)?, CONTROL.get_ptr(CHANGES)?);
    // SAFETY: pointers to live map values, aligned integers, which BPF loads whole.
    let (from_user_space, found) = unsafe {
        (
            core::ptr::read_volatile(&raw const (*control).generation),
            core::ptr::read_volatile(changes.cast::<u64>()),
        )
    };
    Some(from_user_space.wrapping_add(found as u32))
}

/// The addresses of a task's set of namespaces and set of cgroups. A task in another network
/// namespace or cgroup has other addresses.
#[derive(Clone, Copy)]
struct Sets {
    nsproxy: u64,
    css_set: u64,
}

impl Sets {
    #[inline(always)]
    fn of(task: Task) -> Self {
        // The verifier knows `hierarchy`. If cgroups cannot be read, the verifier removes the read
        // of `css_set`.
        let css_set = if config!(hierarchy) == HIERARCHY_NONE {
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

/// Returns the slot among the dismissals for the sets of `task`, and whether the PID namespace of
/// the task's children is dismissed.
///
/// A dismissal is for one pair of sets. If a namespace's first process joins our network namespace,
/// or is moved to the pod's cgroup, it gets other sets. Its later children get them, too. So all of
/// these processes are checked again.
#[inline(always)]
fn dismissal(task: Task, generation: u32, table: u32) -> Option<(*mut Dismissal, bool)> {
    let Sets { nsproxy, css_set } = Sets::of(task);
    let below = task.pid_ns_for_children();
    let (ns, start) = (below.address(), below.reaper().start_boottime());
    // A set has at least 64 bytes, so the low six bits of its address differ little.
    let index = (nsproxy >> 6 ^ nsproxy >> 16 ^ css_set >> 6) as u32 & (DISMISSAL_SLOTS - 1);
    let slot = DISMISSALS.get_ptr_mut(table * DISMISSAL_SLOTS + index)?;
    // SAFETY: a pointer to this CPU's live map value, whose fields BPF loads whole.
    let found = unsafe {
        core::ptr::read_volatile(&raw const (*slot).ns) == ns
            && core::ptr::read_volatile(&raw const (*slot).nsproxy) == nsproxy
            && core::ptr::read_volatile(&raw const (*slot).css_set) == css_set
            && core::ptr::read_volatile(&raw const (*slot).start) == start
            && core::ptr::read_volatile(&raw const (*slot).generation) == generation
            && core::ptr::read_volatile(&raw const (*slot).uses) < DISMISSAL_USES
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
        dismissal(task, generation, table(Event::Exec)),
        Some((_, true))
    )
}

/// The scope of `task`, if it is in a target. The first lane uses the cache. Later lanes decide so
/// rarely that a cache would waste memory.
#[inline(always)]
pub(crate) fn scope<const LANE: u32>(
    task: Task,
    _: Lane<LANE>,
    event: Event,
) -> Result<Scope, Outside> {
    if LANE == 0 {
        cached(task, event)
    } else {
        look_up(task, event).ok_or(Outside::LookedUp)
    }
}

/// [`scope()`] with the cache.
#[inline(always)]
fn cached(task: Task, event: Event) -> Result<Scope, Outside> {
    let table = table(event);
    let level = task.pid_level();
    // The init PID namespace is never a target: user space refuses it.
    if level == 0 {
        return Err(Outside::Dismissed);
    }
    let generation = generation().ok_or(Outside::LookedUp)?;
    // Most execs of a node are in other pods, and return here after few loads. If the namespace of
    // the task's children is not in a target, no namespace above it is a target either. The task is
    // in that namespace or in one above it.
    let below = task.pid_ns_for_children();
    let (slot, dismissed) = dismissal(task, generation, table).ok_or(Outside::LookedUp)?;
    if dismissed {
        // SAFETY: as in `dismissal`.
        unsafe { (*slot).uses += 1 };
        return Err(Outside::Dismissed);
    }
    let ns = below.at(level);
    let id = ns.id();
    let target = decided(ns, id, generation, table).ok_or(Outside::LookedUp)?;
    if target == NO_ROOM {
        // The namespace is not dismissed, so that each of its events is counted as lost.
        count_full_table(event);
        return Err(Outside::LookedUp);
    }
    if target != 0 {
        return Ok(Scope {
            pid_ns: id.inum,
            level,
            target,
        });
    }
    if ns.address() == below.address() {
        let sets = Sets::of(task);
        // SAFETY: as in `dismissal`. The address of the namespace is removed first and written
        // last, so a program that interrupts this one finds no valid dismissal.
        unsafe {
            core::ptr::write_volatile(&raw mut (*slot).ns, 0);
            core::ptr::write_volatile(&raw mut (*slot).nsproxy, sets.nsproxy);
            core::ptr::write_volatile(&raw mut (*slot).css_set, sets.css_set);
            core::ptr::write_volatile(&raw mut (*slot).start, ns.reaper().start_boottime());
            core::ptr::write_volatile(&raw mut (*slot).generation, generation);
            core::ptr::write_volatile(&raw mut (*slot).uses, 0);
            core::ptr::write_volatile(&raw mut (*slot).ns, ns.address());
        }
    }
    Err(Outside::LookedUp)
}

/// The result of [`decide`] for `ns`, from the cache if possible.
#[inline(always)]
fn decided(ns: PidNs, id: NsId, generation: u32, table: u32) -> Option<u32> {
    let slot = DECISIONS.get_ptr_mut(table * DECISION_SLOTS + (id.inum & (DECISION_SLOTS - 1)))?;
    // SAFETY: a pointer to this CPU's live map value, which only the first lane uses.
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

/// Like [`scope()`], without the cache: for later lanes and for failed execs. `exec` can preempt a
/// program of failed execs, and both would use the cache of the CPU.
#[inline(always)]
pub(crate) fn look_up(task: Task, event: Event) -> Option<Scope> {
    let level = task.pid_level();
    if level == 0 {
        return None;
    }
    let ns = task.active_pid_ns(level);
    let id = ns.id();
    let target = decide(ns, id, CONTROL.get(0)?.discovery != 0);
    if target == NO_ROOM {
        count_full_table(event);
        return None;
    }
    (target != 0).then_some(Scope {
        pid_ns: id.inum,
        level,
        target,
    })
}

/// The inum of the target that contains `ns`. 0 if there is no target, [`NO_ROOM`] if [`TARGETS`]
/// is full. With discovery, this can create the target.
///
/// Each value that the walk carries from level to level multiplies the verifier's work. So the walk
/// does not branch on membership in the pod: masks keep the depth of the outermost namespace of the
/// pod.
#[inline(always)]
fn decide(ns: PidNs, id: NsId, discovery: bool) -> u32 {
    // Before `sidecar_scope` has found our own depth, there is no evidence.
    let (floor, identity) = match SIDECAR_SCOPE.get(0) {
        Some(own) if own.is_known() => (own.level.max(1), own.identity()),
        _ => (u32::MAX, 0),
    };
    let mut outermost_level = 0;
    let mut target = 0;
    let mut above = ns;
    for _ in 0..MAX_PID_NS_LEVELS {
        let level = above.level();
        if level == 0 {
            break;
        }
        let id = above.id();
        if let Some(state) = TARGETS.get_ptr_mut(id) {
            // A target from an earlier run has no address yet. SAFETY: a pointer to a live map
            // value, an aligned u64.
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
    // The outermost namespace and `ns` use the same variables in turn, because stack is scarce.
    let (mut seen, mut state) = observed(ns.at(outermost_level as u32), floor, identity);
    let target = if discovery {
        found(&seen, &state)
    } else {
        // A full map evicts an entry. After another failure the next exec tries again.
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

/// Saves the evidence that `ns` is below a target, for its announcement.
#[inline(always)]
fn note_below(ns: PidNs) {
    let (seen, mut state) = observed(ns, u32::MAX, 0);
    state.by = BELOW_TARGET;
    let _ = EVIDENCE.insert(seen, state, 0);
}

/// Identity and state of `ns`.
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

/// Makes `id` a target; returns its inum, or [`NO_ROOM`].
#[inline(always)]
fn found(id: &NsId, state: &NsState) -> u32 {
    match TARGETS.insert(id, state, u64::from(BPF_NOEXIST)) {
        // If the target exists, it was created after `decide` looked for it.
        result @ (Ok(()) | Err(EEXIST)) => {
            if result.is_ok() {
                report(id, state);
            }
            changed();
            id.inum
        }
        Err(_) => NO_ROOM,
    }
}

/// Reports to user space a target that the probes have found.
#[inline(always)]
fn report(id: &NsId, state: &NsState) {
    // If the ring is full, the target's first record shows it to user space.
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
