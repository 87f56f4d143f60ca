//! The containers of the cgroups that the probes have named.

use quick_cache::unsync::Cache;

use crate::event::{container::Containers, decode::CgroupNamesRecord};

/// Maximum number of cgroups. A workspace can create cgroups without limit; those that are not used
/// go first.
const MOST: usize = 4096;

/// The table of cgroups that are in a container, by id.
#[derive(Debug)]
pub(super) struct CgroupTable(Cache<u64, Containers>);

impl Default for CgroupTable {
    fn default() -> Self {
        Self(Cache::new(MOST))
    }
}

impl CgroupTable {
    /// The probes have named a cgroup.
    pub(super) fn named(&mut self, record: &CgroupNamesRecord<'_>) {
        if let Some(containers) = Containers::of(record) {
            self.0.insert(record.head.id, containers);
        }
    }

    /// The containers of the cgroup with this id, if it is in any.
    pub(super) fn containers(&self, cgroup_id: u64) -> Option<Containers> {
        self.0.get(&cgroup_id).copied()
    }
}
