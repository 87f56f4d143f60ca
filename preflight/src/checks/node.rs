//! Input of several checks.

use std::path::PathBuf;

use super::platform;
use super::release::Release;
use crate::files::{self, ReadError};
use crate::{KernelVersion, Options};

/// Input of several checks.
pub(super) struct Node<'a> {
    pub(super) options: &'a Options,
    /// Whether the checks may query the running kernel, or only read files.
    pub(super) live: bool,
    /// `<proc>/self/status`
    pub(super) status: Result<String, ReadError>,
    /// `<proc>/sys/kernel/osrelease`, or the result of uname(2).
    pub(super) release: Release,
    /// The platform that exectrail runs on.
    pub(super) platform: platform::Found,
}

impl<'a> Node<'a> {
    /// Reads the input.
    pub(super) fn read(options: &'a Options) -> Self {
        let live = options.roots.are_live();
        let release = Release::read(&options.roots, live);
        Self {
            options,
            live,
            status: files::read_text(&options.roots.proc.join("self/status")),
            platform: platform::Found::read(&options.roots, release.text()),
            release,
        }
    }

    pub(super) fn proc(&self, path: &str) -> PathBuf {
        self.options.roots.proc.join(path)
    }

    pub(super) fn sys(&self, path: &str) -> PathBuf {
        self.options.roots.sys.join(path)
    }

    pub(super) fn version(&self) -> Option<KernelVersion> {
        self.release.version()
    }

    /// Whether BPF memory counts against RLIMIT_MEMLOCK. False for an unknown version, which the
    /// kernel check reports.
    pub(super) fn needs_memlock(&self) -> bool {
        self.version()
            .is_some_and(|version| version < KernelVersion::WITHOUT_MEMLOCK)
    }

    pub(super) fn status_field(&self, name: &str) -> Option<&str> {
        files::status_field(self.status.as_deref().ok()?, name)
    }

    /// A field of `<proc>/self/status`, or why it is missing, as evidence.
    pub(super) fn status_evidence(&self, name: &str) -> String {
        match &self.status {
            Ok(status) => match files::status_field(status, name) {
                Some(value) => value.split_whitespace().collect::<Vec<_>>().join(" "),
                None => "no such line in the file".to_owned(),
            },
            Err(error) => error.to_string(),
        }
    }
}
