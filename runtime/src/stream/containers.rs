//! The containers of cgroups, from the records in which the probes name each cgroup.

use quick_cache::unsync::Cache;

use crate::event::{container::Containers, decode::CgroupNamesRecord};

/// Maximum number of cgroups. A workspace can create cgroups without limit; unused ones are evicted
/// first.
const MAX_CONTAINERS: usize = 4096;

/// The containers that each cgroup is in, by the id of the cgroup. Cgroups outside all containers
/// have no entry.
#[derive(Debug)]
pub(super) struct CgroupTable(Cache<u64, Containers>);

impl Default for CgroupTable {
    fn default() -> Self {
        Self(Cache::new(MAX_CONTAINERS))
    }
}

impl CgroupTable {
    /// Takes the names of a cgroup, and keeps the cgroup's containers if there are any.
    pub(super) fn keep_containers(&mut self, record: &CgroupNamesRecord<'_>) {
        if let Some(containers) = Containers::of(record) {
            self.0.insert(record.head.id, containers);
        }
    }

    /// The containers that the cgroup with this id is in, if there are any.
    pub(super) fn containers(&self, cgroup_id: u64) -> Option<Containers> {
        self.0.get(&cgroup_id).copied()
    }
}
