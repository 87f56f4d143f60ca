//! A running exectrail.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    process::{Command, ExitStatus},
};

use aya::programs::loaded_programs;
use exectrail_testbed::{process, sidecar};
use rustix::process::Signal;
use serde_json::Value;

/// exectrail, with its output in files.
pub(crate) struct Sidecar(sidecar::Sidecar);

impl Sidecar {
    #[track_caller]
    pub(crate) fn spawn(command: Command) -> Self {
        Self(sidecar::Sidecar::spawn(command).unwrap())
    }

    #[track_caller]
    pub(crate) fn wait_until_on(&self) {
        self.0.wait_until_on().unwrap();
    }

    /// The process id of exectrail itself.
    #[track_caller]
    pub(crate) fn pid(&self) -> u32 {
        self.0.pid().unwrap()
    }

    /// The process id of the child of the test: exectrail itself, or an ancestor of it.
    pub(crate) fn child_id(&self) -> u32 {
        self.0.child_id()
    }

    #[track_caller]
    pub(crate) fn is_running(&mut self) -> bool {
        self.0.is_running().unwrap()
    }

    #[track_caller]
    pub(crate) fn signal(&self, signal: Signal) {
        self.0.signal(signal).unwrap();
    }

    /// Sends a signal to a process that may have ended already.
    pub(crate) fn signal_if_running(&self, signal: Signal) {
        if let Ok(pid) = self.0.pid() {
            let _ = process::signal(pid, signal);
        }
    }

    /// Standard error so far.
    #[track_caller]
    pub(crate) fn diagnostics(&self) -> String {
        self.0.diagnostics().unwrap()
    }

    /// The address at which it accepts announcements. Call this after exectrail has begun to trace.
    #[track_caller]
    pub(crate) fn address(&self) -> String {
        self.0.address().unwrap()
    }

    /// The file that standard output goes to.
    pub(crate) fn log(&self) -> PathBuf {
        self.0.log()
    }

    /// The complete lines so far; each must be JSON. An argv that continues on further lines is
    /// joined.
    #[track_caller]
    pub(crate) fn lines(&self) -> Vec<Value> {
        self.0.lines().unwrap()
    }

    /// Number of runs of each of its eBPF programs, by name (`run_cnt` of `bpf_prog_show_fdinfo`,
    /// kernel/bpf/syscall.c).
    pub(crate) fn program_runs(&self) -> BTreeMap<String, u64> {
        let names: BTreeMap<u32, String> = loaded_programs()
            .flatten()
            .map(|program| {
                (
                    program.id(),
                    program.name_as_str().unwrap_or_default().to_owned(),
                )
            })
            .collect();
        let directory = format!("/proc/{}/fdinfo", self.pid());
        let mut runs = BTreeMap::new();
        for file in fs::read_dir(directory).unwrap() {
            // The descriptor may be closed by now.
            let info = fs::read_to_string(file.unwrap().path()).unwrap_or_default();
            let value = |key: &str| {
                let line = info.lines().find_map(|line| line.strip_prefix(key))?;
                line.trim().parse::<u64>().ok()
            };
            // Links also show the program's number, but no runs.
            if let (Some(id), Some(count)) = (value("prog_id:"), value("run_cnt:"))
                && let Some(name) = names.get(&(id as u32))
            {
                runs.insert(name.clone(), count);
            }
        }
        runs
    }

    /// Waits for the end.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.0.wait().unwrap()
    }

    /// Stops it with SIGTERM, checks that the stop was orderly, and returns its lines.
    #[track_caller]
    pub(crate) fn stop(self) -> Vec<Value> {
        self.0.stop().unwrap()
    }
}
