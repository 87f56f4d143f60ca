//! The stream's memory from one exec to the next, for the lines of execs.

use super::{containers::CgroupTable, processes::Processes};
use crate::event::{
    keys::{Key, KeySet},
    path::PathBuffer,
};

/// Memory for lines of execs.
#[derive(Debug, Default)]
pub(super) struct ExecMemory {
    pub(super) exe: PathBuffer,
    pub(super) cwd: PathBuffer,
    /// The last program of each process; `None` if no key needs it.
    pub(super) processes: Option<Processes>,
    /// The containers by cgroup. Empty if no key needs them: the probes then name no cgroup.
    pub(super) cgroups: CgroupTable,
}

/// The keys that need the table of processes.
const OF_PARENT: [Key; 3] = [Key::ParentExe, Key::ParentArgv, Key::ParentArgvTruncated];

impl ExecMemory {
    /// Memory for lines with `keys`.
    pub(super) fn new(keys: KeySet) -> Self {
        Self {
            processes: keys.has_any(&OF_PARENT).then(Processes::default),
            ..Self::default()
        }
    }
}
