//! Whether the kernel is Linux 5.8 or later.

use super::node::Node;
use crate::release::KernelVersion;
use crate::report::{Check, Id, Verdict};

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
                "Linux {text} is older than 5.8; RHEL 8 backports parts of BPF to it, but \
                 exectrail is not made for that mixture"
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
        Verdict::Unknown if release.text().is_some() => {
            check.remedy("run the pod on a node whose kernel's release begins with its version")
        }
        Verdict::Unknown => check.remedy("make procfs readable, or pass its root with --proc"),
        _ => check,
    }
}
