//! Workspaces: each is a program that executes another program many times.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

use anyhow::{Context, Result, bail};
use exectrail_testbed::{compiler, pod::Pod};

use crate::workspace;

/// Compiles one of the tests' programs.
pub(super) fn compile(dir: &Path, name: &str) -> Result<PathBuf> {
    let program = dir.join(name);
    let source = workspace::root().join(format!("runtime/tests/as_root/{name}.c"));
    compiler::compile(&source, &program)?;
    Ok(program)
}

/// The number of execs so far, and the goal.
pub(super) struct Progress {
    /// Programs executed.
    pub(super) execs: AtomicU64,
    /// Workspaces that started and ended.
    pub(super) workspaces: AtomicU64,
    /// Minimum number of programs to execute.
    pub(super) goal: AtomicU64,
    failed: AtomicBool,
}

/// How workspaces are made.
pub(super) struct WorkspacePlan<'a> {
    pub(super) pod: &'a Pod,
    /// The tests' program that executes another.
    pub(super) tool: &'a Path,
    /// The program that it executes.
    pub(super) noop: &'a Path,
    /// Average number of times that it executes the program. The number of each workspace is
    /// between half of this and one and a half times this.
    pub(super) execs: u64,
}

impl Progress {
    /// Nothing executed so far.
    pub(super) fn new(goal: u64) -> Self {
        Self {
            execs: AtomicU64::new(0),
            workspaces: AtomicU64::new(0),
            goal: AtomicU64::new(goal),
            failed: AtomicBool::new(false),
        }
    }

    /// Whether the run ended early.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Relaxed)
    }

    /// Makes the workspaces end early.
    pub(super) fn give_up(&self) {
        self.failed.store(true, Relaxed);
    }

    /// Runs workspaces, one after the other, until the goal is reached.
    pub(super) fn work(&self, plan: &WorkspacePlan<'_>, seed: u64) -> Result<()> {
        let mut random = seed + 1;
        while self.execs.load(Relaxed) < self.goal.load(Relaxed) && !self.has_failed() {
            // Knuth's linear congruential generator (MMIX) is sufficient here.
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let count = plan.execs / 2 + (random >> 33) % plan.execs.max(1);
            let status = plan
                .pod
                .container(plan.tool)
                .arg("burst")
                .arg(plan.noop)
                .arg(count.to_string())
                .stdin(Stdio::null())
                .status()
                .context("cannot start a workspace")?;
            if !status.success() {
                self.give_up();
                bail!("a workspace ended with {status}");
            }
            // The exec of the workspace's first process counts, too.
            self.execs.fetch_add(count + 1, Relaxed);
            self.workspaces.fetch_add(1, Relaxed);
        }
        Ok(())
    }
}
