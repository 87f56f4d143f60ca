//! Lanes: copies of a program at one tracepoint, so that none is missed where they can be
//! preempted.
//!
//! The kernel skips a program that is running already on the same CPU
//! (`bpf_prog_get_recursion_context`, or the `active` counter before it, kernel/trace/bpf_trace.c).
//! With preemption off inside a tracepoint that cannot come up. Since Linux 7.0 it does: an exec
//! preempted in the program, another one on that CPU. The next lane then takes what the one before
//! was skipped for. Lanes run one after another in the thread itself, so they can leave each other
//! word.

use crate::{
    kernel::{Task, own},
    maps::{SEEN, SEEN_SLOTS, STATS},
};

/// Lane `LANE` of a program's, the first being 0.
#[derive(Clone, Copy)]
pub(crate) struct Lane<const LANE: u32>;

/// What a thread does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    /// It has executed something.
    Exec,
    /// It exits.
    Exit,
    /// It has failed to execute something.
    FailedExec,
}

impl<const LANE: u32> Lane<LANE> {
    /// Whether no lane before this has seen `task` do it; leaves word for those to come.
    ///
    /// The first lane is always the first to see. A later one could only be misled by two threads
    /// whose ids are equal modulo [`SEEN_SLOTS`], between whose lanes the other's fall: then it
    /// records a thing twice.
    #[inline(always)]
    pub(crate) fn is_first(self, task: Task, doing: Doing) -> bool {
        if own!(lanes) == 1 {
            return true;
        }
        let Some(slot) = SEEN.get_ptr_mut(task.pid() & (SEEN_SLOTS - 1)) else {
            return true;
        };
        // When the thread was started tells it from those that had its id before, and the number of
        // the exec that from those before.
        let what = match doing {
            Doing::Exec => task.self_exec_id() & 0xffff,
            Doing::Exit => 1 << 16,
            // It has no lanes.
            Doing::FailedExec => return true,
        };
        let stamp = task.start_boottime() << 17 | what;
        // SAFETY: a pointer to a live map value, an aligned u64, which BPF loads and stores whole.
        unsafe {
            if LANE > 0 && core::ptr::read_volatile(slot) == stamp {
                return false;
            }
            core::ptr::write_volatile(slot, stamp);
        }
        if LANE > 0
            && let Some(stats) = STATS.get_ptr_mut(LANE)
        {
            // SAFETY: a pointer to the live map value of this CPU and lane; nothing else runs in it
            // meanwhile.
            unsafe {
                match doing {
                    Doing::Exit => (*stats).exits_caught += 1,
                    Doing::Exec | Doing::FailedExec => (*stats).caught += 1,
                }
            }
        }
        true
    }
}
