//! Whether the effective capabilities suffice.

use caps::Capability;

use super::node::Node;
use crate::files;
use crate::report::{Check, Id, Verdict};

pub(super) fn check(node: &Node<'_>) -> Check {
    let status = node.proc("self/status");
    let field = node.status_field("CapEff");
    let effective = field.and_then(|hex| u64::from_str_radix(hex, 16).ok());
    let saw = |check: Check| {
        check
            .saw_in(&status, "CapEff", node.status_evidence("CapEff"))
            .saw_in(&status, "Uid", node.status_evidence("Uid"))
    };
    let Some(effective) = effective else {
        let summary = "the effective capabilities could not be read";
        return saw(Check::new(Id::Capabilities, Verdict::Unknown, summary))
            .remedy("make procfs readable, or pass its root with --proc");
    };
    let has = |capability: Capability| effective & capability.bitmask() != 0;

    let mut missing = Vec::new();
    if !has(Capability::CAP_SYS_ADMIN) {
        missing.extend(
            [Capability::CAP_BPF, Capability::CAP_PERFMON]
                .into_iter()
                .filter(|capability| !has(*capability)),
        );
    }
    let memlock = node.needs_memlock().then(|| memlock_limit(node));
    let mut is_unknown = false;
    // CAP_SYS_ADMIN does not replace CAP_SYS_RESOURCE.
    if !has(Capability::CAP_SYS_RESOURCE) {
        match &memlock {
            None => {}
            Some(Ok(limit)) if limit == "unlimited" => {}
            Some(Ok(_)) => missing.push(Capability::CAP_SYS_RESOURCE),
            Some(Err(_)) => is_unknown = true,
        }
    }

    let mut check = if missing.is_empty() && is_unknown {
        let summary = "CAP_SYS_RESOURCE is missing, and the limit on locked memory, which would \
                       have to be unlimited, could not be read";
        Check::new(Id::Capabilities, Verdict::Unknown, summary).remedy(remedy(node))
    } else if missing.is_empty() {
        let by = if has(Capability::CAP_BPF) && has(Capability::CAP_PERFMON) {
            "CAP_BPF and CAP_PERFMON are effective"
        } else {
            "CAP_SYS_ADMIN is effective and includes CAP_BPF and CAP_PERFMON"
        };
        Check::new(Id::Capabilities, Verdict::Ok, by)
    } else {
        let names: Vec<_> = missing.iter().map(Capability::to_string).collect();
        let (names, are) = (
            names.join(", "),
            if names.len() == 1 { "is" } else { "are" },
        );
        Check::new(
            Id::Capabilities,
            Verdict::Unmet,
            format_args!("{names} {are} missing"),
        )
        .remedy(remedy(node))
    };
    check = saw(check);
    match memlock {
        Some(Ok(limit) | Err(limit)) => {
            check.saw_in(&node.proc("self/limits"), "Max locked memory", limit)
        }
        None => check,
    }
}

fn remedy(node: &Node<'_>) -> String {
    let resource = if node.needs_memlock() {
        ", SYS_RESOURCE"
    } else {
        ""
    };
    format!(
        "in the container's securityContext set runAsUser: 0 (Kubernetes gives added capabilities \
        to root only) and capabilities: {{drop: [ALL], add: [BPF, PERFMON{resource}]}}"
    )
}

/// The hard limit of locked memory: `Max locked memory  SOFT  HARD  bytes`. An error says why it
/// could not be read.
fn memlock_limit(node: &Node<'_>) -> Result<String, String> {
    let limits = files::read_text(&node.proc("self/limits")).map_err(|error| error.to_string())?;
    limits
        .lines()
        .find_map(|line| line.strip_prefix("Max locked memory"))
        .and_then(|line| line.split_whitespace().nth(1))
        .map(str::to_owned)
        .ok_or_else(|| "no such line in the file".to_owned())
}
