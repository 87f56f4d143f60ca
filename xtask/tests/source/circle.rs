//! The shortest circle of a graph.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;

/// The files that each file uses.
pub(crate) type Uses = BTreeMap<PathBuf, BTreeSet<PathBuf>>;

/// A list of files in which each file uses the next one, and the last uses the first; `None` if
/// there is no circle.
pub(crate) fn shortest_circle(uses: &Uses) -> Option<Vec<PathBuf>> {
    uses.keys()
        .filter_map(|file| circle_through(file, uses))
        .min_by_key(Vec::len)
}

fn circle_through(start: &PathBuf, uses: &Uses) -> Option<Vec<PathBuf>> {
    let mut reached_from = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(file) = queue.pop_front() {
        for used in uses.get(file).into_iter().flatten() {
            if used == start {
                let mut circle = vec![file.clone()];
                let mut at = file;
                while at != start {
                    at = reached_from[at];
                    circle.push(at.clone());
                }
                circle.reverse();
                return Some(circle);
            }
            if !reached_from.contains_key(used) {
                reached_from.insert(used, file);
                queue.push_back(used);
            }
        }
    }
    None
}
