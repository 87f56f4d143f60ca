//! The verdicts on nodes, from copies of a node's files or from files that a test writes.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that fails should stop where it failed"
)]
#![forbid(unsafe_code)]

mod files;
mod gvisor;
mod kata;
mod kernels;
mod lockdown;
mod memory;
mod namespaces;
mod privileges;
#[path = "../support/mod.rs"]
mod support;

use exectrail_preflight::attach_points::AttachPoint;
use exectrail_preflight::{Check, Id, Kernel, KernelVersion, Report, Verdict};
use support::Node;

use Verdict::{NotApplicable, Ok as Fit, Unknown, Unmet};

const BPF: u64 = 1 << 39;
const PERFMON: u64 = 1 << 38;
const SYS_RESOURCE: u64 = 1 << 24;
const SYS_ADMIN: u64 = 1 << 21;

fn check(report: &Report, id: Id) -> &Check {
    report.check(id).unwrap()
}

#[track_caller]
fn verdict(node: &Node, id: Id) -> Verdict {
    let report = node.run();
    let check = check(&report, id);
    for unmet in report.unmet() {
        assert!(
            unmet.remedy.is_some(),
            "{} is unmet without a remedy",
            unmet.id
        );
    }
    assert!(!check.summary.is_empty());
    check.verdict
}

#[track_caller]
fn evidence(report: &Report, id: Id) -> String {
    check(report, id)
        .evidence
        .iter()
        .map(|e| format!("{}: {}\n", e.source, e.value))
        .collect()
}

fn has_end_check(kernel: &Kernel) -> bool {
    let end_check = AttachPoint::Tracepoint("oom_score_adj_update");
    kernel.attach_points.id(end_check).is_some()
}

#[test]
fn a_fit_node_is_fit() {
    let report = Node::fit().run();
    assert_eq!(
        report.verdict(),
        Fit,
        "{}",
        report.format(exectrail_preflight::Format::Text)
    );
    let kernel = report.kernel().unwrap();
    assert_eq!(kernel.release, KernelVersion::new(6, 1, 0));
    assert!(!kernel.needs_memlock && !has_end_check(kernel));
    assert_eq!(kernel.offsets.task_nsproxy, 16 + 72);
    assert_eq!(kernel.offsets.mm_arg_start, 64 + 280);
    assert_eq!(kernel.offsets.net_inum, 128 + 16);
    assert_eq!(kernel.offsets.uid_gid_map_extent, 8);
    assert_eq!(kernel.offsets.uid_gid_extent_size, 12);
    assert_eq!(kernel.offsets.upid_size, 16);
    // Copies of files do not belong to the running kernel, so there are no trials.
    assert_eq!(check(&report, Id::Bpf).verdict, NotApplicable);
}
