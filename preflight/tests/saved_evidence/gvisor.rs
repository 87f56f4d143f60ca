//! gVisor, with files that two versions of Debian's runsc showed to a process inside.

use exectrail_preflight::{Format, Id};

use crate::support::Node;
use crate::{Fit, NotApplicable, Unmet, check, evidence};

/// The checks of what gVisor only imitates: their remedies would not help.
const IMITATED: [Id; 5] = [
    Id::Kernel,
    Id::Btf,
    Id::UserNamespace,
    Id::Capabilities,
    Id::Lockdown,
];

/// The files of containers, as runsc showed them. Links of procfs cannot be saved as files, so they
/// are made here.
fn sandboxes() -> [Node; 2] {
    [("gvisor-20221219", 112), ("gvisor-20240729", 125)].map(|(saved, user_ns)| {
        Node::saved(saved)
            .link("proc/self/ns/user", &format!("user:[{user_ns}]"))
            .link("proc/self/ns/pid", "pid:[1]")
            .link("proc/self/ns/net", "net:[1]")
    })
}

#[test]
fn gvisor_is_named_and_nothing_else_is_blamed() {
    for node in sandboxes() {
        let report = node.run();
        let text = report.format(Format::Text);
        let platform = check(&report, Id::Platform);
        assert_eq!(platform.verdict, Unmet, "{text}");
        assert!(platform.summary.contains("gVisor"), "{text}");
        let remedy = platform.remedy.as_ref().unwrap();
        assert!(remedy.contains("runtimeClassName"), "{remedy}");
        for id in IMITATED {
            let check = check(&report, id);
            assert_eq!(
                (check.verdict, &check.remedy),
                (NotApplicable, &None),
                "{text}"
            );
        }
        assert_eq!(report.unmet().count(), 1, "{text}");
        assert!(!text.contains("hostUsers"), "{text}");
        assert!(!text.contains("is older"), "{text}");
        assert_eq!(
            report.format(Format::Npd),
            "exectrail cannot trace: platform\n"
        );
    }
}

#[test]
fn each_trace_of_gvisor_suffices() {
    let traces = ["proc/version", "proc/cmdline", "proc/sentry-meminfo"];
    for node in sandboxes() {
        for kept in traces {
            let content = std::fs::read(node.path(kept)).unwrap();
            let linux = Node::fit().file(kept, content);
            // A kernel that describes its types is Linux, whatever its name.
            assert_eq!(check(&linux.run(), Id::Platform).verdict, Fit, "{kept}");
            let report = linux.without("sys/kernel/btf").run();
            assert_eq!(check(&report, Id::Platform).verdict, Unmet, "{kept}");
            assert!(evidence(&report, Id::Platform).contains(kept), "{kept}");
        }
        let report = traces.into_iter().fold(node, Node::without).run();
        assert_eq!(check(&report, Id::Platform).verdict, Fit);
        assert_eq!(check(&report, Id::UserNamespace).verdict, Unmet);
    }
}
