//! Processes, and what they did.

/// Number of a process in the forest.
pub(crate) type Number = u32;

/// A process id on the node, in one of its boots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Pid {
    boot: u32,
    /// A process id of Linux has at most 22 bits.
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

/// A process: its id, and when it was forked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) pid: Pid,
    pub(super) start: u64,
}

/// The parent of a process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parent {
    pub(super) key: Key,
    /// Whether it is outside the PID namespace of the process. Such a parent is in the workspace if
    /// it has a line, as the one that starts a container in the workspace has.
    pub(super) is_outside: bool,
}

/// How a process has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Status(u8),
    Signal(u8),
}

/// A process.
#[derive(Debug)]
pub(crate) struct Process<T> {
    pub(super) pid: Pid,
    /// When it was forked; 0 if that is not known.
    pub(crate) start: u64,
    /// The parent, as its first exec names it.
    pub(super) parent: Option<Parent>,
    pub(crate) sid: Pid,
    /// Place in the order of lines.
    pub(crate) order: u64,
    /// Its first exec; `None` if it only forked, or no exec of it was taken.
    pub(crate) exec: Option<T>,
    pub(crate) end: Option<End>,
    pub(crate) nanoseconds: u64,
    pub(crate) is_wanted: bool,
    /// Whether the link to the process above is by session.
    pub(crate) is_by_session: bool,
}

impl<T> Process<T> {
    /// Its id on the node.
    pub(crate) fn pid(&self) -> u32 {
        self.pid.id
    }
}

/// An exec of a process after its first one, or a failed exec.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deed<T> {
    pub(crate) process: Number,
    pub(crate) order: u64,
    pub(crate) text: T,
    /// Whether it is an exec that failed.
    pub(crate) has_failed: bool,
}
