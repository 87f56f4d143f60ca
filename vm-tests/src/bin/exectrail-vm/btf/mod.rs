//! Compares the offsets that preflight reads in BTF with pahole's. The kernels are those of the
//! test machines, and cloud kernels of Debian's suites ([`SUITES`]). Nothing is booted.

mod image;
mod pahole;
mod suites;

use std::{
    env, fs,
    io::Write as _,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use anyhow::{Context, Result, ensure};
use exectrail_common::offsets::ABSENT;
use exectrail_preflight::offsets::{named, resolve};
use exectrail_testbed::debian::DebianError;

use crate::{
    btf::pahole::Structs,
    kernel_files::{self, Kernel},
    kernel_series::Series,
};

pub(crate) use suites::SUITES;

/// Result of a comparison.
enum Compared {
    /// This many offsets are equal.
    Same(usize),
    /// Some offsets differ, or the comparison failed.
    Failed(String),
    /// The kernel could not be fetched.
    Skipped(String),
}

/// Number of kernels by result.
#[derive(Clone, Copy, Default)]
struct Counts {
    same: usize,
    failed: usize,
    skipped: usize,
}

/// A kernel to compare.
enum Candidate<'a> {
    Known(&'a Kernel),
    NewestOf(&'static Series),
}

/// Compares the `known` kernels of virtual machines, and the newest kernel of each other suite of
/// `suites`, `jobs` at a time. Returns `false` if a comparison failed. In CI, also returns `false`
/// if there are other suites and none of them can be reached.
pub(crate) fn compare(known: &[Kernel], suites: &'static [Series], jobs: usize) -> bool {
    let described: Vec<&Kernel> = known
        .iter()
        .filter(|kernel| kernel.series.machine.is_virtual())
        .collect();
    // A known kernel represents its suite.
    let others: Vec<&'static Series> = suites
        .iter()
        .filter(|series| !described.iter().any(|kernel| kernel.series.is_like(series)))
        .collect();
    let compared_suites = others.len();
    let candidates: Vec<Candidate> = others
        .into_iter()
        .map(Candidate::NewestOf)
        .chain(described.into_iter().map(Candidate::Known))
        .collect();
    let next = AtomicUsize::new(0);
    let counts = Mutex::new(Counts::default());
    thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                while let Some(candidate) = candidates.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (name, compared) = of_candidate(candidate);
                    let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
                    counts.add(&name, compared);
                }
            });
        }
    });
    let counts = *counts.lock().unwrap_or_else(PoisonError::into_inner);
    println!(
        "btf: {} kernels have the offsets that pahole reads, {} failed, {} skipped",
        counts.same, counts.failed, counts.skipped
    );
    let in_ci = env::var_os("CI").is_some_and(|ci| ci == "true" || ci == "1");
    if in_ci && compared_suites > 0 && counts.skipped == compared_suites {
        println!("btf: none of Debian's suites can be reached, which fails in CI");
        return false;
    }
    counts.failed == 0
}

impl Counts {
    fn add(&mut self, name: &str, compared: Compared) {
        match compared {
            Compared::Same(offsets) => {
                self.same += 1;
                eprintln!("btf: {name}: {offsets} offsets are those that pahole reads");
            }
            Compared::Failed(reason) => {
                self.failed += 1;
                eprintln!("btf: {name}: FAILED: {reason}");
            }
            Compared::Skipped(reason) => {
                self.skipped += 1;
                eprintln!("btf: {name}: skipped: {reason}");
            }
        }
    }
}

/// The name of a kernel, and its result.
fn of_candidate(candidate: &Candidate) -> (String, Compared) {
    let of = |kernel: &Kernel| {
        let name = format!("{} ({})", kernel.release, kernel.series.name);
        (name, of_kernel(kernel))
    };
    match candidate {
        Candidate::Known(kernel) => of(kernel),
        Candidate::NewestOf(series) => match kernel_files::newest_kernel(series) {
            Ok(kernel) => of(&kernel),
            Err(error) => (series.name.to_owned(), not_fetched(&error)),
        },
    }
}

/// A kernel is skipped only because of the network or the archive.
fn not_fetched(error: &anyhow::Error) -> Compared {
    let reason = format!("{error:#}");
    let Some(DebianError::Unreachable { .. }) = error.downcast_ref() else {
        return Compared::Failed(reason);
    };
    // apt's last lines give the reason of its failure.
    let last = reason.lines().rfind(|line| line.starts_with("E: "));
    Compared::Skipped(format!("{error}: {}", last.unwrap_or(&reason)))
}

fn of_kernel(kernel: &Kernel) -> Compared {
    match differences(kernel) {
        Ok((offsets, differing)) if differing.is_empty() => Compared::Same(offsets),
        Ok((_, differing)) => Compared::Failed(differing.join("; ")),
        Err(error) => Compared::Failed(format!("{error:#}")),
    }
}

/// The number of offsets, and the offsets that differ.
fn differences(kernel: &Kernel) -> Result<(usize, Vec<String>)> {
    let image = fs::read(&kernel.image)
        .with_context(|| format!("cannot read {}", kernel.image.display()))?;
    let btf = image::btf(&image)?;
    let resolved = resolve(&btf)?;
    ensure!(
        resolved.missing.is_empty(),
        "preflight misses {:?}",
        resolved.missing
    );
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(&btf)?;

    let values: Vec<Named> = named(&resolved.offsets).collect();
    // Structs that are embedded in other structs: `d_name.name` is in `qstr`.
    let mut names = vec!["hlist_bl_node", "ns_common", "path", "qstr"];
    for (strukt, _, _) in &values {
        if !names.contains(strukt) {
            names.push(strukt);
        }
    }
    let structs = Structs::read(file.path(), &names)?;
    Ok((values.len(), differing(&values, &structs)))
}

/// A value with its names, see [`named`].
type Named = (&'static str, Option<&'static str>, u32);

/// The values that differ from pahole's, or that only preflight or only pahole has.
fn differing(values: &[Named], structs: &Structs) -> Vec<String> {
    let mut differing = Vec::new();
    for (strukt, member, ours) in values {
        let theirs = match member {
            // If a member's name differs between kernels, `member` has all names, separated by `|`.
            Some(member) => member
                .split('|')
                .find_map(|name| structs.offset(strukt, name)),
            None => structs.size(strukt),
        };
        let ours = (*ours != ABSENT).then_some(*ours);
        if ours != theirs {
            let member = member.unwrap_or("(size)");
            differing.push(format!(
                "{strukt}.{member} is {ours:?}, but pahole reads {theirs:?}"
            ));
        }
    }
    differing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_only_one_reader_has_differs() {
        let structs = Structs::parse(
            "struct pid {\n\tint level; /* 4 4 */\n\tint __new; /* 8 4 */\n\t/* size: 12 */\n};\n",
        )
        .unwrap();
        let differs = |member, ours| !differing(&[("pid", member, ours)], &structs).is_empty();
        assert!(!differs(Some("level"), 4));
        assert!(!differs(Some("old|__new"), 8));
        assert!(!differs(None, 12));
        assert!(!differs(Some("numbers"), ABSENT));
        assert!(differs(Some("level"), 8));
        assert!(differs(Some("level"), ABSENT));
        assert!(differs(Some("numbers"), 0));
        assert!(differs(None, 16));
    }
}
