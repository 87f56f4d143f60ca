//! The input of several checks: the files of the node, and its kernel's release.

use std::io;
use std::path::PathBuf;

use rustix::io::Errno;
use rustix::system::uname;

use super::platform;
use crate::files::{self, ReadError};
use crate::options::{Options, Roots};
use crate::release::KernelVersion;

/// Input of several checks.
pub(super) struct Node<'a> {
    pub(super) options: &'a Options,
    /// Whether the files are those of the running kernel, so that the checks may query it.
    pub(super) live: bool,
    /// `<proc>/self/status`
    pub(super) status: Result<String, ReadError>,
    /// The kernel's release, from uname(2) and from `<proc>/sys/kernel/osrelease`.
    pub(super) release: Release,
    /// The platform that exectrail runs on.
    pub(super) platform: platform::Found,
}

impl Node<'_> {
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

/// Whether `error` has this number.
pub(super) fn is(error: &io::Error, errno: Errno) -> bool {
    error.raw_os_error() == Some(errno.raw_os_error())
}

/// The kernel's release, from each source that could be read.
pub(super) struct Release {
    /// Release from uname(2), only for a live system. `setarch --uname-2.6` changes it. exectrail
    /// itself calls uname(2), so this release decides.
    pub(super) uname: Option<String>,
    pub(super) path: PathBuf,
    pub(super) osrelease: Result<String, files::ReadError>,
}

impl Release {
    pub(super) fn read(roots: &Roots, live: bool) -> Self {
        let path = roots.proc.join("sys/kernel/osrelease");
        let osrelease = files::read_text(&path).map(|text| text.trim().to_owned());
        let uname = live.then(|| uname().release().to_string_lossy().into_owned());
        Self {
            uname,
            path,
            osrelease,
        }
    }

    /// The release that the checks use.
    pub(super) fn text(&self) -> Option<&str> {
        self.uname.as_deref().or(self.osrelease.as_deref().ok())
    }

    pub(super) fn version(&self) -> Option<KernelVersion> {
        KernelVersion::parse(self.text()?)
    }

    /// The release as the suffix of a file name: `/boot/config-RELEASE`.
    pub(super) fn as_suffix(&self) -> Option<&str> {
        let text = self.osrelease.as_deref().ok().or(self.uname.as_deref())?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "._+-~".contains(c);
        (!text.is_empty() && text.len() < 65 && text.chars().all(plain)).then_some(text)
    }
}
