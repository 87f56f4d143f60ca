//! What kernel lockdown leaves.
//!
//! Neither mode keeps the tracer from running: `integrity` forbids nothing that it does, and
//! `confidentiality` forbids `bpf_probe_read_kernel` only (`LOCKDOWN_BPF_READ_KERNEL`,
//! kernel/trace/bpf_trace.c), which it can do without.

use super::Node;
use crate::files;
use crate::report::{Check, Id, Verdict};

/// Also returns whether `bpf_probe_read_kernel` may be called; `tried` is what loading a program
/// with it gave, and decides.
pub(super) fn check(node: &Node<'_>, tried: Option<bool>) -> (Check, bool) {
    let path = node.sys("kernel/security/lockdown");
    let text = files::read_text(&path);
    // `none [integrity] confidentiality`
    let mode = text.as_deref().ok().and_then(|text| {
        let mode = text.split_once('[')?.1.split_once(']')?.0;
        ["none", "integrity", "confidentiality"]
            .into_iter()
            .find(|known| *known == mode)
    });
    let read_kernel = tried.unwrap_or(matches!(mode, Some("none" | "integrity")));

    let without = "lockdown is confidentiality: the tracer runs, but cannot tell the parent's \
                   process id inside the container";
    let (verdict, summary) = match (mode, &text) {
        (Some("confidentiality"), _) => (Verdict::Ok, without.to_owned()),
        (Some(mode), _) => (
            Verdict::Ok,
            format!("lockdown is {mode}, which leaves all that is needed"),
        ),
        (None, Err(_)) if tried == Some(true) => (
            Verdict::Ok,
            "not in confidentiality mode, by trial".to_owned(),
        ),
        (None, Err(_)) if tried == Some(false) => (Verdict::Ok, without.to_owned()),
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
    if verdict == Verdict::Unknown {
        check = check.remedy("make securityfs readable (/sys/kernel/security)");
    }
    (check, read_kernel)
}
