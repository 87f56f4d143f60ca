//! A workspace that has a first line, and the limit on lines about announcements.

use std::time::Duration;

/// At most this many `workspace_announced` lines, of all workspaces, are written in
/// [`ANNOUNCED_PERIOD`].
pub(super) const ANNOUNCED_BURST: u32 = 20;
/// See [`ANNOUNCED_BURST`].
pub(super) const ANNOUNCED_PERIOD: Duration = Duration::from_secs(10);

/// A workspace that has a first line (`workspace_started`) and has not ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Workspace {
    /// Start of its first process; `None` if unknown.
    pub(super) start: Option<u64>,
    /// Start of the first process of the previous workspace with the same inode number; `None` if
    /// there was none.
    pub(super) before: Option<u64>,
}
