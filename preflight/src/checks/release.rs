//! The kernel's release.

use std::path::PathBuf;

use rustix::system::uname;

use crate::{KernelVersion, Roots, files};

/// The kernel's release, from each source that could be read.
pub(super) struct Release {
    /// Release from uname(2), only for a live system. `setarch --uname-2.6` changes it, and
    /// programs that call uname(2) believe it.
    pub(super) uname: Option<String>,
    /// Path of the file.
    pub(super) path: PathBuf,
    /// Content of the file.
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

    /// The release that the check uses.
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
