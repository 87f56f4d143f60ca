//! Which hierarchy of cgroups pods are in on a node.

use crate::offsets::Controllers;

/// The controllers in whose v1 hierarchies pods are, the one that is used first.
const PODS: [&str; 2] = ["pids", "memory"];

/// A hierarchy of cgroups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hierarchy {
    /// cgroup v2.
    Unified,
    /// The v1 hierarchy of a controller.
    Of {
        /// Name of the controller.
        controller: &'static str,
        /// Its place in `css_set.subsys`.
        place: u32,
    },
    /// None that pods are known to be in.
    None,
}

impl Hierarchy {
    /// The one that `cgroups`, the text of a process's `/proc/PID/cgroup` (cgroups(7)), shows.
    ///
    /// Its lines are `ID:CONTROLLERS:PATH`; that of v2 is `0::PATH`. On a node with cgroup v1,
    /// runtimes put each container into a cgroup of the same name in the hierarchy of each
    /// controller; any of them would do. Where there are v1 hierarchies, pods are not in v2.
    pub fn of(cgroups: &str, controllers: Controllers) -> Self {
        let lines = || cgroups.lines().filter_map(|line| line.split_once(':'));
        let mut names = lines()
            .filter(|(id, _)| *id != "0")
            .filter_map(|(_, rest)| Some(rest.split_once(':')?.0))
            .flat_map(|names| names.split(','))
            .peekable();
        if names.peek().is_none() {
            let has_v2 = lines().any(|(id, _)| id == "0");
            return if has_v2 { Self::Unified } else { Self::None };
        }
        let names: Vec<&str> = names.collect();
        PODS.into_iter()
            .filter(|name| names.contains(name))
            .find_map(|controller| {
                let place = match controller {
                    "pids" => controllers.pids,
                    _ => controllers.memory,
                }?;
                Some(Self::Of { controller, place })
            })
            .unwrap_or(Self::None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hierarchy_of_each_layout_of_cgroups() {
        let all = Controllers {
            pids: Some(11),
            memory: Some(4),
        };
        let memory = Controllers { pids: None, ..all };
        let pids = Hierarchy::Of {
            controller: "pids",
            place: 11,
        };
        let in_memory = Hierarchy::Of {
            controller: "memory",
            place: 4,
        };
        let v1 = "12:pids:/kubepods/pod1/c\n5:cpu,memory:/kubepods/pod1/c\n1:name=systemd:/x\n";
        let hybrid = format!("{v1}0::/system.slice/containerd.service\n");
        let others = "3:cpu,cpuacct:/c\n1:name=systemd:/c\n0::/\n";
        for (cgroups, controllers, expected) in [
            ("0::/\n", all, Hierarchy::Unified),
            (v1, all, pids),
            (&hybrid, all, pids),
            (&hybrid, memory, in_memory),
            (&hybrid, Controllers::default(), Hierarchy::None),
            (others, all, Hierarchy::None),
            ("3:cpu:/c\n", all, Hierarchy::None),
            ("", all, Hierarchy::None),
            ("nonsense\n:\n::\n", all, Hierarchy::None),
        ] {
            assert_eq!(Hierarchy::of(cgroups, controllers), expected, "{cgroups}");
        }
    }
}
