//! Kernel 5.8 or later.

use std::path::PathBuf;

use rustix::system::uname;

use super::Node;
use crate::report::{Check, Id, Verdict};
use crate::{KernelVersion, Roots, files};

/// The kernel's release, from each source that could be read.
pub(super) struct Release {
    /// Release from uname(2), only for a live system. `setarch --uname-2.6` changes it, and
    /// programs that call uname(2) believe it.
    uname: Option<String>,
    path: PathBuf,
    osrelease: Result<String, files::ReadError>,
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

pub(super) fn check(node: &Node<'_>) -> Check {
    let release = &node.release;
    let verdict_and_summary = match (release.text(), release.version()) {
        (Some(text), Some(version)) if version >= KernelVersion::OLDEST => {
            (Verdict::Ok, format!("Linux {text}; 5.8 or later is needed"))
        }
        (
            Some(text),
            Some(KernelVersion {
                major: 4,
                minor: 18,
                ..
            }),
        ) if text.contains(".el8") => (
            Verdict::Unmet,
            format!(
                "Linux {text} is older than 5.8; RHEL 8 backports parts of BPF to it, but the \
                 tracer is not made for that mixture"
            ),
        ),
        (Some(text), Some(_)) => (Verdict::Unmet, format!("Linux {text} is older than 5.8")),
        (Some(text), None) => (
            Verdict::Unknown,
            format!("the release {text:?} does not begin with a version"),
        ),
        (None, _) => (
            Verdict::Unknown,
            "the kernel's release could not be read".to_owned(),
        ),
    };
    let (verdict, summary) = verdict_and_summary;
    let mut check = Check::new(Id::Kernel, verdict, summary);
    if let Some(uname) = &release.uname {
        check = check.saw("uname(2) release", uname);
    }
    check = match &release.osrelease {
        Ok(text) => check.saw_in(&release.path, "", text),
        Err(error) => check.saw_in(&release.path, "", error),
    };
    match verdict {
        Verdict::Unmet => check.remedy(node.platform.other_kernel().unwrap_or_else(|| {
            "run the pod on nodes with Linux 5.8 or later (RHEL 9, Ubuntu 22.04, Debian 11, \
             Amazon Linux 2023 or newer)"
                .to_owned()
        })),
        Verdict::Unknown => check.remedy("make procfs readable, or pass its root with --proc"),
        _ => check,
    }
}
