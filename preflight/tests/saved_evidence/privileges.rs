//! Verdicts on the privileges of a container: its capabilities, and the user namespace in which
//! they count.

use exectrail_preflight::Id;

use crate::support::{self, Node};
use crate::{BPF, Fit, PERFMON, SYS_ADMIN, SYS_RESOURCE, Unknown, Unmet, check, evidence, verdict};

#[test]
fn each_combination_of_capabilities() {
    let all = [BPF, PERFMON, SYS_RESOURCE, SYS_ADMIN];
    for bits in 0..16_u32 {
        let mask = (0..4)
            .filter(|bit| bits >> bit & 1 == 1)
            .map(|bit| all[bit])
            .sum::<u64>();
        let trace = mask & SYS_ADMIN != 0 || mask & (BPF | PERFMON) == BPF | PERFMON;
        for (release, expected) in [
            ("5.15.0", trace),
            ("5.10.0", trace && mask & SYS_RESOURCE != 0),
        ] {
            let node = Node::fit().release(release).cap_eff(mask);
            let report = node.run();
            let check = check(&report, Id::Capabilities);
            let expected = if expected { Fit } else { Unmet };
            assert_eq!(
                check.verdict, expected,
                "{release}, {mask:x}: {}",
                check.summary
            );
            if expected == Unmet {
                let remedy = check.remedy.as_deref().unwrap();
                assert!(remedy.contains("BPF, PERFMON"), "{remedy}");
                assert_eq!(
                    remedy.contains("SYS_RESOURCE"),
                    release == "5.10.0",
                    "{remedy}"
                );
                for (bit, name) in [(BPF, "CAP_BPF"), (PERFMON, "CAP_PERFMON")] {
                    let missing = mask & (bit | SYS_ADMIN) == 0;
                    assert_eq!(check.summary.contains(name), missing, "{}", check.summary);
                }
            }
        }
    }
    // If locked memory has no limit, nothing has to raise it.
    let limits = support::LIMITS.replace("8388608", "unlimited");
    let node = Node::fit().release("5.10.0").cap_eff(BPF | PERFMON);
    assert_eq!(
        verdict(&node.file("proc/self/limits", limits), Id::Capabilities),
        Fit
    );
    let node = Node::fit().release("5.10.0").cap_eff(BPF | PERFMON);
    let unreadable = node.without("proc/self/limits");
    assert_eq!(verdict(&unreadable, Id::Capabilities), Unknown);
    for garbage in [
        "",
        "CapEff:\n",
        "CapEff:\tzz\n",
        "CapEff:\t1ffffffffffffffff\n",
    ] {
        let node = Node::fit().file("proc/self/status", garbage);
        assert_eq!(verdict(&node, Id::Capabilities), Unknown, "{garbage:?}");
    }
}

#[test]
fn sysbox_and_other_user_namespaces() {
    assert_eq!(verdict(&Node::fit(), Id::UserNamespace), Fit);
    let sysbox = Node::fit()
        .file("proc/self/uid_map", "0 165536 65536\n")
        .link("proc/self/ns/user", "user:[4026533021]")
        .file(
            "proc/self/mountinfo",
            "812 801 0:71 /proc/sys /proc/sys rw,nosuid - fuse sysboxfs rw,user_id=0\n",
        );
    let report = sysbox.run();
    let check = check(&report, Id::UserNamespace);
    assert_eq!(check.verdict, Unmet);
    assert!(
        check.summary.contains("sysbox-runc") && check.remedy.as_ref().unwrap().contains("envbox")
    );
    assert!(evidence(&report, Id::UserNamespace).contains("sysboxfs on /proc/sys"));

    // `hostUsers: false`, and a nested namespace that maps every id to itself.
    let mapped = || Node::fit().file("proc/self/uid_map", "0 100000 65536\n");
    let nested = || Node::fit().link("proc/self/ns/user", "user:[4026533021]");
    assert_eq!(verdict(&mapped(), Id::UserNamespace), Unmet);
    assert_eq!(verdict(&nested(), Id::UserNamespace), Unmet);
    assert_eq!(
        verdict(&mapped().without("proc/self/ns"), Id::UserNamespace),
        Unmet
    );
    assert_eq!(
        verdict(&Node::fit().without("proc/self/ns"), Id::UserNamespace),
        Fit
    );
    assert_eq!(
        verdict(&Node::fit().without("proc/self/uid_map"), Id::UserNamespace),
        Fit
    );
    let nothing = Node::fit().without("proc/self");
    assert_eq!(verdict(&nothing, Id::UserNamespace), Unknown);
    let garbage = Node::fit()
        .without("proc/self/ns")
        .file("proc/self/uid_map", "0 0\n");
    assert_eq!(verdict(&garbage, Id::UserNamespace), Unknown);
}
