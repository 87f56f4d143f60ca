//! Which cgroup the log's key `cgroup_id` names on this node.
//!
//! A missing id never makes a node unfit, but the summary says that `cgroup_id` is null.

use super::node::Node;
use crate::cgroup_hierarchy::Hierarchy;
use crate::files;
use crate::offsets::Resolved;
use crate::report::Check;

/// Adds a note to `check`: the cgroup that `cgroup_id` will name.
pub(super) fn noted(node: &Node<'_>, resolved: Option<&Resolved>, check: Check) -> Check {
    let path = node.proc("self/cgroup");
    let (Ok(text), Some(resolved)) = (files::read_text(&path), resolved) else {
        return check;
    };
    let found = Hierarchy::of(
        &files::parse_cgroups(&text),
        resolved.controllers,
        &resolved.offsets,
    );
    let (what, caution) = match found {
        Hierarchy::Unified => ("the id in cgroup v2".to_owned(), ""),
        Hierarchy::Of { controller, .. } => (
            format!("the id in the cgroup v1 hierarchy of the {controller} controller"),
            "",
        ),
        Hierarchy::None => (
            "null: no known cgroup hierarchy of pods was found".to_owned(),
            "; cgroup_id is null",
        ),
    };
    let mut check = check.saw_in(&path, "cgroup_id", what);
    check.summary.push_str(caution);
    check
}
