//! What is checked on the cluster.

mod check;
mod dry_run;
mod manifests;
mod node_check;
mod pod;
mod workspace;

use anyhow::{Result, ensure};

use self::check::Check;
use super::cluster::Cluster;

/// All checks, in the order in which they run. The last of [`pod::CHECKS`] deletes the pod.
fn all() -> Vec<Check> {
    let mut all = dry_run::checks();
    all.extend(
        pod::CHECKS
            .iter()
            .chain(&node_check::CHECKS)
            .map(|(name, run)| Check {
                name: (*name).to_owned(),
                run: Box::new(*run),
            }),
    );
    all
}

/// The names of checks that contain one of `parts`; all names if `parts` is empty.
pub(super) fn names(parts: &[String]) -> Result<Vec<String>> {
    let all: Vec<String> = all().into_iter().map(|check| check.name).collect();
    for part in parts {
        ensure!(
            all.iter().any(|name| name.contains(part)),
            "no check has {part:?} in its name. The checks are\n  {}",
            all.join("\n  ")
        );
    }
    let is_wanted =
        |name: &String| parts.is_empty() || parts.iter().any(|part| name.contains(part));
    Ok(all.into_iter().filter(is_wanted).collect())
}

/// Runs the checks with these names. Prints a line for each, and at the end how many passed and how
/// many failed. Returns whether all passed.
pub(super) fn run(cluster: &Cluster, names: &[String]) -> Result<bool> {
    let (mut passed, mut failed) = (0_u32, 0_u32);
    for Check { name, run } in all() {
        if !names.contains(&name) {
            continue;
        }
        match run(cluster) {
            Ok(remark) if remark.is_empty() => {
                passed += 1;
                println!("passed {name}");
            }
            Ok(remark) => {
                passed += 1;
                println!("passed {name}: {remark}");
            }
            Err(error) => {
                failed += 1;
                println!("FAILED {name}: {error:#}");
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    Ok(failed == 0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_part_of_a_name_selects_checks() {
        let everything = names(&[]).unwrap();
        let unique: BTreeSet<&String> = everything.iter().collect();
        assert_eq!(unique.len(), everything.len());
        let some = names(&["plain-yaml/".to_owned()]).unwrap();
        assert!(!some.is_empty() && some.len() < everything.len());
        assert!(some.iter().all(|name| name.contains("plain-yaml/")));
        let error = names(&["no-such".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("accepts:plain-yaml/pod.yaml"), "{error}");
    }
}
