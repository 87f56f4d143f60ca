//! What kernel lockdown allows.
//!
//! `integrity` forbids nothing that exectrail does. `confidentiality` forbids the helpers that read
//! kernel memory (`LOCKDOWN_BPF_READ_KERNEL`, kernel/trace/bpf_trace.c); the probes need them for
//! the filename and the paths.

use super::node::Node;
use crate::files;
use crate::report::{Check, Id, Verdict};

/// `tried` is whether the kernel loads a program that calls `bpf_probe_read_kernel`; `None` if the
/// trials did not show that.
pub(super) fn check(node: &Node<'_>, tried: Option<bool>) -> Check {
    let path = node.sys("kernel/security/lockdown");
    let text = files::read_text(&path);
    // `none [integrity] confidentiality`
    let mode = text.as_deref().ok().and_then(|text| {
        let mode = text.split_once('[')?.1.split_once(']')?.0;
        ["none", "integrity", "confidentiality"]
            .into_iter()
            .find(|known| *known == mode)
    });

    let without = "lockdown is confidentiality: the kernel refuses the helpers that read its \
        memory, so the filename of an exec cannot be read";
    let (verdict, summary) = match (mode, &text) {
        (Some("confidentiality"), _) => (Verdict::Unmet, without.to_owned()),
        (Some(mode), _) => (
            Verdict::Ok,
            format!("lockdown is {mode}, which allows all that exectrail needs"),
        ),
        (None, Err(_)) if tried == Some(true) => (
            Verdict::Ok,
            "a trial shows that lockdown is not in confidentiality mode".to_owned(),
        ),
        (None, Err(_)) if tried == Some(false) => (Verdict::Unmet, without.to_owned()),
        (None, Err(files::ReadError::Missing)) => (
            Verdict::NotApplicable,
            "the kernel has no lockdown, or securityfs is not mounted here".to_owned(),
        ),
        (None, _) => (
            Verdict::Unknown,
            "the state of lockdown could not be read".to_owned(),
        ),
    };
    let mut check = Check::new(Id::Lockdown, verdict, summary);
    check = match &text {
        Ok(text) => check.saw_in(&path, "", text),
        Err(error) => check.saw_in(&path, "", error),
    };
    if let Some(tried) = tried {
        let outcome = if tried { "allowed" } else { "refused" };
        check = check.saw("bpf(2) program with bpf_probe_read_kernel", outcome);
    }
    if verdict == Verdict::Unmet {
        check = check.remedy(node.platform.other_lockdown());
    }
    if verdict == Verdict::Unknown {
        check = check.remedy("make securityfs readable (/sys/kernel/security)");
    }
    check
}
