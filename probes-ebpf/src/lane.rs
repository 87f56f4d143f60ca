//! Lanes: copies of a program at one tracepoint, so that hardly any event is lost if the program is
//! preempted.
//!
//! The kernel skips a program that is already running on the same CPU
//! (`bpf_prog_get_recursion_context`, or the `active` counter of older kernels,
//! kernel/trace/bpf_trace.c). Before Linux 7.0 this does not happen, because tracepoints run with
//! preemption off. Since Linux 7.0, the program can be preempted in one exec while another exec
//! starts on the same CPU. The kernel skips the first lane for the second exec, and the next lane
//! records it. The lanes of an event run one after another in the same thread, so they can leave
//! marks for each other.

use crate::{
    config::config,
    kernel::Task,
    maps::{SEEN, SEEN_SLOTS, STATS},
};

/// Lane `LANE` of a program; the first is 0.
#[derive(Clone, Copy)]
pub(crate) struct Lane<const LANE: u32>;

/// What a thread does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// It has executed a program.
    Exec,
    /// It exits.
    Exit,
    /// It has failed to execute a program.
    FailedExec,
}

impl<const LANE: u32> Lane<LANE> {
    /// Whether no earlier lane has seen `task` do this; marks it as seen for later lanes.
    ///
    /// The first lane always returns true. A later lane is wrong only if both of these are true:
    /// - Two threads have ids that are equal modulo [`SEEN_SLOTS`].
    /// - One of them runs its lanes between the lanes of the other.
    ///
    /// In this case an event is recorded twice.
    #[inline(always)]
    pub(crate) fn is_first(self, task: Task, event: Event) -> bool {
        if config!(lanes) == 1 {
            return true;
        }
        let Some(slot) = SEEN.get_ptr_mut(task.pid() & (SEEN_SLOTS - 1)) else {
            return true;
        };
        // The mark is unique to the event. The start time distinguishes threads with the same id;
        // the number of the exec distinguishes the execs of a thread.
        let what = match event {
            Event::Exec => task.self_exec_id() & 0xffff,
            Event::Exit => 1 << 16,
            // Failed execs have no lanes.
            Event::FailedExec => return true,
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
            // SAFETY: a pointer to the live map value of this CPU and lane; no other program uses
            // the counter meanwhile.
            unsafe {
                match event {
                    Event::Exit => (*stats).exits_caught += 1,
                    Event::Exec | Event::FailedExec => (*stats).caught += 1,
                }
            }
        }
        true
    }
}
