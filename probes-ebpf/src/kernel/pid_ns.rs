//! `struct pid_namespace`.

use exectrail_common::target::NsId;

use super::{
    pointer::{KernelPtr, field},
    task::Task,
};

/// Maximum number of PID namespaces from the init one down (`MAX_PID_NS_LEVEL` is 32,
/// include/linux/pid_namespace.h).
pub(crate) const MAX_PID_NS_LEVELS: u32 = 33;

/// `struct pid_namespace *`
#[derive(Clone, Copy)]
pub(crate) struct PidNs(pub(super) KernelPtr);

impl PidNs {
    /// The address as a number: it identifies the namespace while the namespace is alive.
    #[inline(always)]
    pub(crate) fn address(self) -> u64 {
        self.0.number()
    }

    #[inline(always)]
    pub(crate) fn level(self) -> u32 {
        self.0.load(field!(pid_namespace_level))
    }

    #[inline(always)]
    pub(crate) fn parent(self) -> Self {
        Self(self.0.follow(field!(pid_namespace_parent)))
    }

    #[inline(always)]
    pub(crate) fn inum(self) -> u32 {
        self.0.load(field!(pid_namespace_inum))
    }

    /// This namespace, or the one above it at depth `level`.
    #[inline(always)]
    pub(crate) fn at(self, level: u32) -> Self {
        let mut ns = self;
        for _ in 0..MAX_PID_NS_LEVELS {
            if ns.level() <= level {
                break;
            }
            ns = ns.parent();
        }
        ns
    }

    /// The namespace's first process, or another of its threads once the first thread has exited.
    #[inline(always)]
    pub(crate) fn reaper(self) -> Task {
        Task(self.0.follow(field!(pid_namespace_child_reaper)))
    }

    /// The id of the namespace. The start time is the group leader's: once the first thread has
    /// exited, the reaper is another thread, with a later start time of its own.
    #[inline(always)]
    pub(crate) fn id(self) -> NsId {
        NsId {
            start: self.reaper().group_leader().start_boottime(),
            inum: self.inum(),
            zero: 0,
        }
    }
}

/// The PID namespaces of a task.
impl Task {
    /// The PID namespace of the task's next child: the task's own or, after unshare(2) or setns(2),
    /// one below.
    #[inline(always)]
    pub(crate) fn pid_ns_for_children(self) -> PidNs {
        PidNs(
            self.0
                .follow(field!(task_nsproxy))
                .follow(field!(nsproxy_pid_ns_for_children)),
        )
    }

    /// The PID namespace of the task, which is at depth `level`.
    #[inline(always)]
    pub(crate) fn active_pid_ns(self, level: u32) -> PidNs {
        self.pid_ns_for_children().at(level)
    }
}
