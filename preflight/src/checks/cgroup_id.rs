//! Which cgroup the key `cgroup_id` of the log names on this node.
//!
//! No kind of node is unfit for that reason, but where there is no id, nobody should look for it.

use exectrail_common::offsets::ABSENT;

use super::Node;
use crate::files;
use crate::offsets::{Controllers, Resolved};
use crate::report::Check;

/// The controllers in whose v1 hierarchies pods are, the one that is used first.
const PODS: [&str; 2] = ["pids", "memory"];

/// What `cgroup_id` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hierarchy {
    /// cgroup v2.
    Unified,
    /// cgroup v2, but nothing shows that pods are in it: it is not mounted, or there are v1
    /// hierarchies, too.
    UnifiedPerhaps,
    /// The v1 hierarchy of a controller.
    Of(&'static str),
    /// Nothing: the key is `null`.
    None,
}

/// Adds to a check what `cgroup_id` will be.
pub(super) fn noted(node: &Node<'_>, resolved: Option<&Resolved>, check: Check) -> Check {
    let path = node.proc("self/cgroup");
    let (Ok(text), Some(resolved)) = (files::read_text(&path), resolved) else {
        return check;
    };
    let has_cgroups = resolved.offsets.task_cgroups != ABSENT;
    let found = has_cgroups.then(|| hierarchy(&text, resolved.controllers));
    let (what, caution) = match found.unwrap_or(Hierarchy::None) {
        Hierarchy::Unified => ("the id in cgroup v2".to_owned(), ""),
        Hierarchy::UnifiedPerhaps => (
            "the id in cgroup v2, that of its root where pods are not in it".to_owned(),
            "; cgroup_id may be the same in all lines",
        ),
        Hierarchy::Of(controller) => (
            format!("the id in the cgroup v1 hierarchy of the {controller} controller"),
            "",
        ),
        Hierarchy::None => (
            "null: there is no hierarchy that pods are known to be in".to_owned(),
            "; cgroup_id is null",
        ),
    };
    let mut check = check.saw_in(&path, "cgroup_id", what);
    check.summary.push_str(caution);
    check
}

/// The lines are `ID:CONTROLLERS:PATH`; that of v2 is `0::PATH`.
fn hierarchy(cgroups: &str, controllers: Controllers) -> Hierarchy {
    let lines = || cgroups.lines().filter_map(|line| line.split_once(':'));
    let names: Vec<&str> = lines()
        .filter(|(id, _)| *id != "0")
        .filter_map(|(_, rest)| Some(rest.split_once(':')?.0))
        .flat_map(|names| names.split(','))
        .collect();
    let known = |name| match name {
        "pids" => controllers.pids.is_some(),
        _ => controllers.memory.is_some(),
    };
    let mut v1 = PODS.into_iter().filter(|name| names.contains(name));
    match v1.clone().find(|name| known(name)) {
        Some(controller) => Hierarchy::Of(controller),
        None if v1.next().is_some() => Hierarchy::None,
        None if names.is_empty() && lines().any(|(id, _)| id == "0") => Hierarchy::Unified,
        None => Hierarchy::UnifiedPerhaps,
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
        let v1 = "12:pids:/kubepods/pod1/c\n5:cpu,memory:/kubepods/pod1/c\n1:name=systemd:/x\n";
        let hybrid = format!("{v1}0::/system.slice/containerd.service\n");
        let others = "3:cpu,cpuacct:/c\n1:name=systemd:/c\n0::/\n";
        for (cgroups, controllers, expected) in [
            ("0::/\n", all, Hierarchy::Unified),
            (v1, all, Hierarchy::Of("pids")),
            (&hybrid, all, Hierarchy::Of("pids")),
            (&hybrid, memory, Hierarchy::Of("memory")),
            (&hybrid, Controllers::default(), Hierarchy::None),
            (others, all, Hierarchy::UnifiedPerhaps),
            ("3:cpu:/c\n", all, Hierarchy::UnifiedPerhaps),
            ("", all, Hierarchy::UnifiedPerhaps),
            ("nonsense\n:\n::\n", all, Hierarchy::UnifiedPerhaps),
        ] {
            assert_eq!(hierarchy(cgroups, controllers), expected, "{cgroups}");
        }
    }
}
