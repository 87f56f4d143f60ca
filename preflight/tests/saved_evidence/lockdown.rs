//! The modes of lockdown, and the remedy on each platform.

use exectrail_preflight::Id;

use crate::support::Node;
use crate::{Fit, NotApplicable, Unknown, Unmet, check, verdict};

#[test]
fn lockdown_forbids_in_confidentiality_mode() {
    let lockdown = |text| Node::fit().file("sys/kernel/security/lockdown", text);
    for (text, expected) in [
        ("[none] integrity confidentiality\n", Fit),
        ("none [integrity] confidentiality\n", Fit),
        ("none integrity [confidentiality]\n", Unmet),
        ("none integrity confidentiality\n", Unknown),
        ("[", Unknown),
        ("][", Unknown),
        ("[something]", Unknown),
    ] {
        let node = lockdown(text);
        assert_eq!(verdict(&node, Id::Lockdown), expected, "{text:?}");
    }
    let without = Node::fit().without("sys/kernel/security");
    assert_eq!(verdict(&without, Id::Lockdown), NotApplicable);
}

/// The remedy depends on the platform: lockdown is set in a node's image, in its settings, or by
/// hand.
#[test]
fn the_way_out_of_lockdown_is_that_of_the_platform() {
    const TALOS: &str = "talos.platform=metal console=tty0 init_on_alloc=1 slab_nomerge pti=on \
        lockdown=confidentiality\n";
    const BOTTLEROCKET: &str = "Linux version 6.12.40 (builder@buildkitsandbox) \
        (x86_64-bottlerocket-linux-gnu-gcc.br_real (Buildroot 2024.11) 13.3.0, GNU ld 2.41) \
        #1 SMP PREEMPT_DYNAMIC Mon Aug 11 21:09:52 UTC 2025\n";
    let confidential = || {
        let mode = "none integrity [confidentiality]\n";
        Node::fit().file("sys/kernel/security/lockdown", mode)
    };
    for (node, name, words) in [
        (
            confidential().release("6.12.40-talos"),
            "Talos",
            ["Image Factory", "[-lockdown, lockdown=integrity]"],
        ),
        (
            confidential().file("proc/cmdline", TALOS),
            "Talos",
            ["extraKernelArgs", "upgrade the node"],
        ),
        (
            confidential().file("proc/version", BOTTLEROCKET),
            "Bottlerocket",
            ["apiclient set kernel.lockdown=integrity", "reboot"],
        ),
        (
            confidential().file("proc/cmdline", "agent.log=debug\n"),
            "Kata",
            ["runtimeClassName", "lockdown=integrity"],
        ),
        (
            confidential(),
            "neither a sandbox",
            ["boot the node", "lockdown=integrity"],
        ),
    ] {
        let report = node.run();
        let platform = &check(&report, Id::Platform).summary;
        assert!(platform.contains(name), "{platform}");
        let remedy = check(&report, Id::Lockdown).remedy.as_ref().unwrap();
        for word in words {
            assert!(remedy.contains(word), "{name}: {remedy}");
        }
    }
    let fit = Node::fit().release("6.12.40-talos").run();
    assert_eq!(fit.verdict(), Fit);
    assert_eq!(check(&fit, Id::Lockdown).remedy, None);
}
