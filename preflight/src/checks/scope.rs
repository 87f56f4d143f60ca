//! The namespaces of this process.
//!
//! The check shows which namespaces exectrail would see. It finds only one obstacle:
//! `--use-local-pidns` in the init PID namespace. It does not find out whether the pod shares the
//! node's network namespace, as a pod cannot see which namespace is the node's. The probes find
//! that out later.

use super::node::Node;
use crate::files;
use crate::report::{Check, Id, Scope, Verdict};

/// `PROC_PID_INIT_INO`, include/linux/proc_ns.h
const INIT_PID_NS: u32 = 0xEFFF_FFFC;

pub(super) fn check(node: &Node<'_>) -> (Check, Scope) {
    let (pid_path, net_path) = (node.proc("self/ns/pid"), node.proc("self/ns/net"));
    let pid_ns = files::namespace_inum(&pid_path, "pid");
    let net_ns = files::namespace_inum(&net_path, "net");
    let first_path = node.proc("1/comm");
    let first = files::read_text(&first_path).map(|comm| comm.trim_end().to_owned());

    let init_pid_ns = pid_ns.as_ref().ok().map(|inum| *inum == INIT_PID_NS);
    let scope = Scope {
        pid_ns: pid_ns.as_ref().ok().copied(),
        net_ns: net_ns.as_ref().ok().copied(),
        init_pid_ns,
        shared_pid_ns: match init_pid_ns {
            Some(true) => Some(false),
            _ => is_shared(node, first.as_deref().ok()),
        },
    };
    let local = node.options.local_pid_ns;
    let (verdict, summary) = match scope {
        Scope { pid_ns: None, .. } | Scope { net_ns: None, .. } => (
            Verdict::Unknown,
            "the namespaces of this process could not be read",
        ),
        Scope {
            init_pid_ns: Some(true),
            ..
        } if local => (
            Verdict::Unmet,
            "in the node's own PID namespace, where --use-local-pidns would trace the whole node",
        ),
        Scope {
            init_pid_ns: Some(true),
            ..
        } => (Verdict::Ok, "in the node's own PID namespace"),
        _ if local => (
            Verdict::Ok,
            "execs in this container's own PID namespace would be recorded",
        ),
        Scope {
            shared_pid_ns: Some(true),
            ..
        } => (
            Verdict::Ok,
            "the pod seems to share one PID namespace: set --use-local-pidns",
        ),
        _ => (Verdict::Ok, "in a PID namespace of its own"),
    };
    let show = |inum: &Result<u32, files::ReadError>| match inum {
        Ok(inum) => inum.to_string(),
        Err(error) => error.to_string(),
    };
    let mut check = Check::new(Id::Scope, verdict, summary)
        .saw_in(&pid_path, "", show(&pid_ns))
        .saw_in(&net_path, "", show(&net_ns))
        .saw_in(
            &node.proc("self/status"),
            "NSpid",
            node.status_evidence("NSpid"),
        );
    check = match &first {
        Ok(comm) => check.saw_in(&first_path, "", comm),
        Err(error) => check.saw_in(&first_path, "", error),
    };
    match verdict {
        Verdict::Unknown => {
            check = check.remedy("make procfs readable, or pass its root with --proc");
        }
        Verdict::Unmet => {
            check = check.remedy("run the pod without hostPID, or omit --use-local-pidns");
        }
        _ => {}
    }
    (check, scope)
}

/// Whether the pod seems to share one PID namespace. With `shareProcessNamespace` PID 1 is the
/// pod's first container, `pause`. Otherwise PID 1 is exectrail: this process, or the sidecar in
/// whose container this process was started later.
fn is_shared(node: &Node<'_>, first: Option<&str>) -> Option<bool> {
    let own = node.status_field("NSpid")?.split_whitespace().next_back()?;
    if own.parse::<u32>().ok()? == 1 {
        return Some(false);
    }
    first.map(|comm| !comm.starts_with("exectrail"))
}
