//! Verdicts on the namespaces of a container, and on the address that it binds.

use exectrail_preflight::Id;

use crate::support::{self, Node};
use crate::{Fit, NotApplicable, Unknown, Unmet, check, evidence, verdict};

#[test]
fn scope_tells_namespaces_and_guesses_at_a_shared_one() {
    let report = Node::fit().run();
    let scope = report.scope();
    assert_eq!(
        (scope.pid_ns, scope.net_ns),
        (Some(4_026_532_801), Some(4_026_532_703))
    );
    assert_eq!(
        (scope.init_pid_ns, scope.shared_pid_ns),
        (Some(false), Some(false))
    );

    let inside = |comm: &str| {
        let status = support::STATUS.replace("NSpid:\t1", "NSpid:\t4711\t17");
        Node::fit()
            .file("proc/self/status", status)
            .file("proc/1/comm", comm)
    };
    assert_eq!(inside("pause\n").run().scope().shared_pid_ns, Some(true));
    assert_eq!(
        inside("exectrail\n").run().scope().shared_pid_ns,
        Some(false)
    );
    assert!(
        check(&inside("pause\n").run(), Id::Scope)
            .summary
            .contains("--use-local-pidns")
    );

    let host = || Node::fit().link("proc/self/ns/pid", "pid:[4026531836]");
    assert_eq!(host().run().scope().init_pid_ns, Some(true));
    let mut local = host();
    local.options.local_pid_ns = true;
    let refused = local.run();
    assert_eq!(check(&refused, Id::Scope).verdict, Unmet);
    assert!(
        check(&refused, Id::Scope)
            .summary
            .contains("would trace the whole node")
    );
    for garbage in [
        "pid:[]",
        "pid:[x]",
        "net:[1]",
        "pid:[99999999999]",
        "/etc/passwd",
    ] {
        let node = Node::fit().link("proc/self/ns/pid", garbage);
        assert_eq!(verdict(&node, Id::Scope), Unknown, "{garbage}");
    }
}

#[test]
fn the_init_address_is_bound_and_let_go() {
    let mut node = Node::fit();
    assert_eq!(verdict(&node, Id::InitAddress), NotApplicable);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    node.options.init_address = Some(address);
    let report = node.run();
    // A taken port is reported, but is no obstacle: exectrail traces, and retries until the port is
    // free.
    let taken_check = check(&report, Id::InitAddress);
    assert_eq!(taken_check.verdict, Fit);
    assert!(taken_check.summary.contains("in use"), "{taken_check:?}");
    let remedy = taken_check.remedy.as_ref().unwrap();
    assert!(remedy.contains("--init-address"), "{remedy}");
    let text = report.text(Default::default());
    assert!(text.contains(remedy.as_str()), "{text}");
    drop(taken);
    assert_eq!(verdict(&node, Id::InitAddress), Fit);
    assert!(std::net::TcpListener::bind(address).is_ok());
    // TEST-NET-3: no machine has this address.
    node.options.init_address = Some("203.0.113.7:80".parse().unwrap());
    assert_eq!(verdict(&node, Id::InitAddress), Unmet);
}

#[test]
fn a_cgroup_id_that_will_be_null_is_reported() {
    let report = Node::fit().run();
    // The BTF of this node has no types of cgroups.
    assert!(evidence(&report, Id::Scope).contains("cgroup_id: null"));
    let scope = check(&report, Id::Scope);
    assert_eq!(scope.verdict, Fit);
    assert!(scope.summary.ends_with("cgroup_id is null"), "{scope:?}");
}
