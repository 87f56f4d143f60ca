//! kubectl.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use super::layout::Run;
use crate::command;

/// kubectl, as the administrator of the cluster.
pub(super) struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
    /// `HOME` of kubectl, below which it caches facts about the API.
    home: PathBuf,
}

impl Kubectl {
    pub(super) fn new(run: &Run) -> Self {
        Self {
            program: run.program("usr/bin/kubectl"),
            kubeconfig: run.kubeconfig(),
            home: run.scratch.clone(),
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut kubectl = command::new(&self.program);
        kubectl
            .env("KUBECONFIG", &self.kubeconfig)
            .env("HOME", &self.home)
            .args(arguments);
        kubectl
    }

    /// Runs kubectl; returns its output.
    pub(super) fn run(&self, arguments: &[&str]) -> Result<String> {
        command::output(&mut self.command(arguments))
    }

    /// Runs kubectl with a file; returns its output.
    pub(super) fn with_file(&self, arguments: &[&str], file: &Path) -> Result<String> {
        command::output(self.command(arguments).arg("--filename").arg(file))
    }

    /// An object as JSON; `None` if it does not exist.
    pub(super) fn object(&self, arguments: &[&str]) -> Result<Option<Value>> {
        let printed = self.run(&[&["get", "--ignore-not-found", "-o=json"], arguments].concat())?;
        if printed.trim().is_empty() {
            return Ok(None);
        }
        serde_json::from_str(&printed)
            .map(Some)
            .with_context(|| format!("kubectl printed no JSON:\n{printed}"))
    }
}
