//! "Ours?": whether the PID namespace of a task is a target or lies below one.

use aya_ebpf::{
    bindings::{BPF_NOEXIST, BPF_RB_NO_WAKEUP},
    helpers::bpf_ktime_get_boot_ns,
};
use exectrail_common::{
    record::{KIND_NS_FOUND, NsFound, Prefix},
    target::{DECISION_SLOTS, DISMISSAL_SLOTS, NsId, NsState},
};

use crate::{
    atomic::{add, keep_order},
    branchless::{equal, less, opaque, select},
    kernel::{MAX_LEVELS, PidNs, Task, own},
    lane::Lane,
    maps::{
        CHANGES, CONTROL, DECISIONS, DISMISSALS, Decision, Dismissal, EVIDENCE, OWN_SCOPE, RING,
        STATS, TARGETS,
    },
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

/// A "not ours" is looked into again after so many execs: a reaper may have joined our network
/// namespace since (`setns`), which changes no generation.
const BELIEVE: u32 = 64;

/// The table of decisions on execs.
pub(crate) const EXECS: u32 = 0;

/// The table of decisions on exits: apart where `exit` may preempt `exec`.
#[inline(always)]
pub(crate) fn exits() -> u32 {
    u32::from(own!(lanes) != 1)
}

/// Makes all decisions lapse.
///
/// To be called when a reaper has exited, before its namespace can be freed: another may then be made
/// at the same address, with the same inode number.
#[inline(always)]
pub(crate) fn changed() {
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
    // Whether a reaper lives is asked after: one that lives then makes a later generation by its end.
    keep_order();
    Some(told.wrapping_add(found as u32))
}

/// The place of `ns` among the dismissals, and whether it is there and holds.
#[inline(always)]
fn dismissal(ns: PidNs, generation: u32, table: u32) -> Option<(*mut Dismissal, bool)> {
    // Of the address, so that nothing of the namespace need be loaded. Its objects are not smaller than 64 bytes.
    let address = ns.address();
    let index = (address >> 6 ^ address >> 16) as u32 & (DISMISSAL_SLOTS - 1);
    let slot = DISMISSALS.get_ptr_mut(table * DISMISSAL_SLOTS + index)?;
    // SAFETY: a pointer to this CPU's live map value, whose fields BPF loads whole.
    let found = unsafe {
        core::ptr::read_volatile(&raw const (*slot).ns) == address
            && core::ptr::read_volatile(&raw const (*slot).generation) == generation
            && core::ptr::read_volatile(&raw const (*slot).believed) < BELIEVE
    };
    Some((slot, found))
}

/// Whether an exec of `task` is going to be none of ours as far as is known.
#[inline(always)]
pub(crate) fn is_dismissed(task: Task) -> bool {
    let Some(generation) = generation() else {
        return false;
    };
    let ns = task.pid_ns_for_children();
    matches!(dismissal(ns, generation, EXECS), Some((_, true)))
}

/// The scope of `task`, if it is ours. Decisions are kept in that one of the tables of [`DECISIONS`] and
/// [`DISMISSALS`], but for those of later lanes, which come so seldom that a cache would be memory wasted.
#[inline(always)]
pub(crate) fn scope<const LANE: u32>(task: Task, _: Lane<LANE>, table: u32) -> Option<Scope> {
    if LANE == 0 {
        cached(task, table)
    } else {
        look_up(task)
    }
}

/// The same with the cache.
#[inline(always)]
fn cached(task: Task, table: u32) -> Option<Scope> {
    let level = task.pid_level();
    // The init PID namespace is never ours: user space refuses it as a target.
    if level == 0 {
        return None;
    }
    let generation = generation()?;
    // Most execs of a node are other pods', and leave here, with next to nothing loaded. Where that which children
    // will be in is none of ours, none above it is, either, and the task is in one of these.
    let below = task.pid_ns_for_children();
    let (slot, dismissed) = dismissal(below, generation, table)?;
    if dismissed {
        // SAFETY: as in `dismissal`.
        unsafe { (*slot).believed += 1 };
        return None;
    }
    let ns = below.at(level);
    let id = ns.id();
    let target = decided(ns, id, generation, table)?;
    if target != 0 {
        return Some(Scope {
            pid_ns: id.inum,
            level,
            target,
        });
    }
    // Once the reaper has exited, nothing would make the dismissal lapse any more.
    if ns.address() == below.address() && ns.reaper().is_alive() {
        // SAFETY: as in `dismissal`. In this order, whoever comes in between finds none of the two.
        unsafe {
            core::ptr::write_volatile(&raw mut (*slot).ns, 0);
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
    // SAFETY: a pointer to this CPU's live map value; only the first lane comes here, which has it for itself.
    let decision = unsafe { &mut *slot };
    if decision.id.inum == id.inum
        && decision.id.start == id.start
        && decision.generation == generation
    {
        return Some(decision.target);
    }
    let target = decide(ns, id, CONTROL.get(0)?.discovery != 0);
    if target != 0 {
        *decision = Decision {
            id,
            generation,
            target,
        };
    }
    Some(target)
}

/// The same without the cache, for programs that may be preempted and so must not use what is the CPU's.
#[inline(always)]
pub(crate) fn look_up(task: Task) -> Option<Scope> {
    let level = task.pid_level();
    if level == 0 {
        return None;
    }
    let ns = task.active_pid_ns(level);
    let id = ns.id();
    let target = decide(ns, id, CONTROL.get(0)?.discovery != 0);
    (target != 0).then_some(Scope {
        pid_ns: id.inum,
        level,
        target,
    })
}

/// The inum of the target that `ns` lies in, made one where discovery says so; 0 if none.
///
/// What is carried through the walk multiplies the verifier's work, so rather than branch on
/// "in our network namespace?", the outermost such namespace is kept by masks.
#[inline(always)]
fn decide(ns: PidNs, id: NsId, discovery: bool) -> u32 {
    // Nothing is evidence until `own_scope` has told our own depth.
    let floor = match OWN_SCOPE.get(0) {
        Some(own) if own.is_known() => own.level.max(1),
        _ => u32::MAX,
    };
    let mut outermost = NsId::default();
    let mut outermost_level = 0;
    let mut above = ns;
    for _ in 0..MAX_LEVELS {
        let level = above.level();
        if level == 0 {
            break;
        }
        let id = above.id();
        if TARGETS.get_ptr(id).is_some() {
            return id.inum;
        }
        let ours = in_our_network(above, id.inum, level, floor);
        outermost.start = select(ours, id.start, outermost.start);
        outermost.inum = select(ours, u64::from(id.inum), u64::from(outermost.inum)) as u32;
        outermost_level = select(ours, u64::from(level), outermost_level);
        above = above.parent();
    }
    if outermost.inum == 0 {
        return 0;
    }
    // SAFETY: the helper takes no arguments and always succeeds.
    let since = unsafe { bpf_ktime_get_boot_ns() };
    let state = |level| NsState {
        since,
        level,
        ended: 0,
    };
    let target = if discovery {
        found(&outermost, &state(outermost_level as u32))
    } else {
        // A full map evicts; the only other failure is memory, and then the next exec tries again.
        let _ = EVIDENCE.insert(outermost, state(outermost_level as u32), 0);
        0
    };
    let level = ns.level();
    if id.inum != outermost.inum && in_our_network(ns, id.inum, level, floor) != 0 {
        let _ = EVIDENCE.insert(id, state(level), 0);
    }
    target
}

/// Makes `id` a target; its inum, or 0 where there is no room.
#[inline(always)]
fn found(id: &NsId, state: &NsState) -> u32 {
    match TARGETS.insert(id, state, u64::from(BPF_NOEXIST)) {
        // Another CPU was first where it exists.
        result @ (Ok(()) | Err(EEXIST)) => {
            if result.is_ok() {
                tell(id, state.since);
            }
            changed();
            id.inum
        }
        Err(_) => {
            if let Some(stats) = STATS.get_ptr_mut(0) {
                // SAFETY: a pointer to this CPU's live map value.
                unsafe { (*stats).lost_targets += 1 };
            }
            0
        }
    }
}

/// Tells user space of a target that it did not make.
#[inline(always)]
fn tell(id: &NsId, ktime: u64) {
    let found = NsFound {
        prefix: Prefix {
            kind: KIND_NS_FOUND,
            ..Prefix::default()
        },
        id: *id,
        ktime,
    };
    // With no room in the ring, user space hears of it by the first record from there.
    let _ = RING.output::<NsFound>(&found, u64::from(BPF_RB_NO_WAKEUP));
}

/// `-EEXIST` as helpers return it.
const EEXIST: i32 = -17;

/// 1 where `ns`, not our own and no less deep than `floor`, has its reaper in our network
/// namespace, else 0; without a branch.
#[inline(always)]
fn in_our_network(ns: PidNs, inum: u32, level: u32, floor: u32) -> u64 {
    let same_net = equal(ns.reaper_net_ns(), own!(net_ns));
    let not_own = equal(inum, own!(pid_ns)) ^ 1;
    let deep_enough = less(level, floor) ^ 1;
    opaque(same_net & not_own & deep_enough)
}
