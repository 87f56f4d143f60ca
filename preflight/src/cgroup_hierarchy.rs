//! The hierarchy of cgroups that a node's pods are in.

use exectrail_common::offsets::{ABSENT, Offsets};

use procfs_core::ProcessCGroup;

use crate::offsets::Controllers;

/// Controllers in whose v1 hierarchies every pod is, because container runtimes use all of these.
/// All other hierarchies are ignored: those of other controllers, such as `net_cls`, and named
/// ones. They may also be mounted on a node whose pods are in cgroup v2.
const OF_PODS: [&str; 4] = ["pids", "memory", "cpu", "devices"];

/// A hierarchy of cgroups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hierarchy {
    /// cgroup v2.
    Unified,
    /// The v1 hierarchy of a controller.
    Of {
        /// Name of the controller.
        controller: &'static str,
        /// Its index in `css_set.subsys`.
        index: u32,
    },
    /// No known hierarchy of pods.
    None,
}

impl Hierarchy {
    /// The hierarchy by `cgroups`, the lines of a process's `/proc/PID/cgroup` (cgroups(7)).
    /// [`Hierarchy::None`] if the kernel lacks a field that the probes need to read cgroups.
    ///
    /// On a node with cgroup v1, runtimes put each container into a cgroup of the same name in the
    /// hierarchy of each controller. So one hierarchy is enough: that of `pids`, or else that of
    /// `memory`.
    pub fn of(cgroups: &[ProcessCGroup], controllers: Controllers, offsets: &Offsets) -> Self {
        if !has_cgroups(offsets) {
            return Self::None;
        }
        let is_v2 = |cgroup: &ProcessCGroup| cgroup.hierarchy == 0;
        let v1: Vec<&str> = cgroups
            .iter()
            .filter(|cgroup| !is_v2(cgroup))
            .flat_map(|cgroup| &cgroup.controllers)
            .map(String::as_str)
            .filter(|name| OF_PODS.contains(name))
            .collect();
        if v1.is_empty() {
            return if cgroups.iter().any(is_v2) {
                Self::Unified
            } else {
                Self::None
            };
        }
        let known = [("pids", controllers.pids), ("memory", controllers.memory)];
        known
            .into_iter()
            .filter(|(controller, _)| v1.contains(controller))
            .find_map(|(controller, index)| {
                let index = index?;
                Some(Self::Of { controller, index })
            })
            .unwrap_or(Self::None)
    }
}

/// Whether the kernel has the cgroup fields that the probes read; of the two arrays of ancestors,
/// one is enough.
fn has_cgroups(offsets: &Offsets) -> bool {
    let needed = [
        offsets.task_cgroups,
        offsets.css_set_dfl_cgrp,
        offsets.css_set_subsys,
        offsets.css_cgroup,
        offsets.cgroup_kn,
        offsets.cgroup_level,
        offsets.cgroup_ancestors.min(offsets.cgroup_ancestor_ids),
        offsets.kernfs_node_id,
        offsets.kernfs_node_parent,
        offsets.kernfs_node_name,
    ];
    !needed.contains(&ABSENT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::parse_cgroups;

    #[test]
    fn the_hierarchy_of_each_layout_of_cgroups() {
        let all = Controllers {
            pids: Some(11),
            memory: Some(4),
        };
        let memory = Controllers { pids: None, ..all };
        let pids = Hierarchy::Of {
            controller: "pids",
            index: 11,
        };
        let in_memory = Hierarchy::Of {
            controller: "memory",
            index: 4,
        };
        let v1 = "12:pids:/kubepods/pod1/c\n5:cpu,memory:/kubepods/pod1/c\n1:name=systemd:/x\n";
        let hybrid = format!("{v1}0::/system.slice/containerd.service\n");
        let others = "3:cpu,cpuacct:/c\n1:name=systemd:/c\n0::/\n";
        let stray = "7:net_cls,net_prio:/\n1:name=systemd:/\n0::/kubepods/pod1/c\n";
        for (cgroups, controllers, expected) in [
            ("0::/\n", all, Hierarchy::Unified),
            (v1, all, pids),
            (&hybrid, all, pids),
            (&hybrid, memory, in_memory),
            (&hybrid, Controllers::default(), Hierarchy::None),
            (others, all, Hierarchy::None),
            (stray, all, Hierarchy::Unified),
            ("13:misc:/\n0::/c\n", all, Hierarchy::Unified),
            ("3:cpu:/c\n", all, Hierarchy::None),
            ("", all, Hierarchy::None),
            ("nonsense\n:\n::\n", all, Hierarchy::None),
        ] {
            assert_eq!(
                Hierarchy::of(&parse_cgroups(cgroups), controllers, &Offsets::default()),
                expected,
                "{cgroups}"
            );
        }
    }

    #[test]
    fn a_field_that_is_missing_leaves_no_hierarchy() {
        let offsets = Offsets {
            kernfs_node_parent: ABSENT,
            ..Offsets::default()
        };
        let controllers = Controllers::default();
        let found = Hierarchy::of(&parse_cgroups("0::/\n"), controllers, &offsets);
        assert_eq!(found, Hierarchy::None);
    }
}
