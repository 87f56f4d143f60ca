//! Processes, and what they did.

/// Number of a process in the forest.
pub(crate) type Number = u32;

/// A process id on the node. Each boot has its own process ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Pid {
    boot: u32,
    /// Linux process ids have at most 22 bits.
    id: u32,
}

impl Pid {
    pub(super) fn new(boot: u32, id: u64) -> Self {
        Self {
            boot,
            id: u32::try_from(id).unwrap_or(u32::MAX),
        }
    }
}

/// A process: its id, and the time of its fork.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) pid: Pid,
    pub(super) start: u64,
}

/// The parent of a process, as a line names it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parent {
    pub(super) key: Key,
    /// Whether the parent is outside the PID namespace of the process. A parent outside it that has
    /// a line belongs to the workspace: for example, the parent started a nested container.
    pub(super) is_outside: bool,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Status(u8),
    Signal(u8),
}

/// A process.
#[derive(Debug)]
pub(crate) struct Process<T> {
    pub(super) pid: Pid,
    /// The time of its fork; 0 if unknown.
    pub(crate) start: u64,
    /// The parent that the first line of the process names.
    pub(super) parent: Option<Parent>,
    pub(crate) sid: Pid,
    /// The position of its first line, or of its first child's if it has no line.
    pub(crate) order: u64,
    /// Its first exec; `None` if it only forked, or if its exec is not in the log.
    pub(crate) exec: Option<T>,
    pub(crate) end: Option<End>,
    pub(crate) nanoseconds: u64,
    pub(crate) is_wanted: bool,
    /// Whether the process above it in the tree is known only from the session.
    pub(crate) is_by_session: bool,
}

impl<T> Process<T> {
    /// The process id on the node.
    pub(crate) fn pid(&self) -> u32 {
        self.pid.id
    }
}

/// An exec of a process after its first one, or a failed exec.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FurtherExec<T> {
    pub(crate) process: Number,
    pub(crate) order: u64,
    pub(crate) text: T,
    /// Whether the exec failed.
    pub(crate) has_failed: bool,
}
