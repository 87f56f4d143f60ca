//! Verdicts on kernels, by release, types and configuration.

use exectrail_preflight::Id;

use crate::support::{KernelTypes, Node, Writer, kernel_btf};
use crate::{Fit, Unknown, Unmet, check, evidence, has_end_check, verdict};

#[test]
fn releases_of_distributions() {
    for (release, expected) in [
        ("5.4.0-150-generic", Unmet),
        ("5.7.19", Unmet),
        ("4.18.0-513.el8.x86_64", Unmet),
        ("2.6.78-25-generic", Unmet),
        ("5.8.0", Fit),
        ("5.8", Fit),
        ("5.15.0-1053-aws", Fit),
        ("6.1.0+", Fit),
        ("6.12.117+deb13-cloud-amd64", Fit),
        ("5.14.0-427.el9.x86_64", Fit),
        ("10.0.0-rc1", Fit),
        ("next-20261101", Unknown),
        ("6", Unknown),
        ("99999999999.1", Unknown),
        ("", Unknown),
        ("\u{1b}[31m", Unknown),
    ] {
        let node = Node::fit().release(release);
        assert_eq!(verdict(&node, Id::Kernel), expected, "{release:?}");
    }
    assert_eq!(
        verdict(&Node::fit().without("proc/sys"), Id::Kernel),
        Unknown
    );
    let rhel = Node::fit().release("4.18.0-513.el8.x86_64").run();
    assert!(check(&rhel, Id::Kernel).summary.contains("backports"));
    assert!(rhel.kernel().is_some_and(|kernel| kernel.needs_memlock));
    assert!(Node::fit().release("").run().kernel().is_none());
}

#[test]
fn missing_btf_says_why() {
    let bare = || Node::fit().without("sys/kernel/btf");
    let summary = |node: Node| {
        let report = node.run();
        let check = check(&report, Id::Btf).clone();
        assert_eq!(check.verdict, Unmet);
        assert!(report.kernel().is_none());
        check.summary
    };
    let on = "CONFIG_BPF=y\nCONFIG_DEBUG_INFO_BTF=y\nCONFIG_DEBUG_INFO_BTF_MODULES=y\n";
    let off = "CONFIG_BPF=y\n# CONFIG_DEBUG_INFO_BTF is not set\n";
    let before = "CONFIG_BPF=y\n# CONFIG_DEBUG_INFO_BTF_MODULES is not set\n";
    assert!(summary(bare().config_gz(on)).contains("not visible"));
    assert!(summary(bare().config_gz(off)).contains("without BTF"));
    assert!(summary(bare().config_gz(before)).contains("without BTF"));
    assert!(summary(bare().file("boot/config-6.1.0-37-amd64", on)).contains("not visible"));
    assert!(summary(bare().file("boot/config-6.1.0-37-amd64", off)).contains("without BTF"));
    assert!(summary(bare()).contains("no kernel configuration"));
    // A damaged archive is skipped, and the next source is used.
    let damaged = bare().file(
        "proc/config.gz",
        [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xff, 0xff],
    );
    assert!(summary(damaged.file("boot/config-6.1.0-37-amd64", off)).contains("without BTF"));
    assert!(summary(bare().file("proc/config.gz", "not an archive")).contains("no kernel config"));
    // Container runtimes mask files with /dev/null.
    assert!(summary(Node::fit().link("sys/kernel/btf/vmlinux", "/dev/null")).contains("hidden"));
    assert!(summary(Node::fit().file("sys/kernel/btf/vmlinux", "")).contains("parsed"));
    // A root without a sysfs is not evidence of anything.
    assert_eq!(verdict(&Node::fit().without("sys"), Id::Btf), Unknown);
}

#[test]
fn an_archive_that_unpacks_without_end_is_cut() {
    let node = Node::fit()
        .without("sys/kernel/btf")
        .config_gz(&"\n".repeat(32 << 20));
    let report = node.run();
    assert!(
        evidence(&report, Id::Btf).contains("longer than"),
        "{}",
        evidence(&report, Id::Btf)
    );
}

#[test]
fn missing_fields_and_tracepoints_are_named() {
    // Linux 5.4: the field has another name, and there are no tracepoints in BTF.
    let old = KernelTypes {
        start_boottime: "real_start_time",
        tracepoints: &[],
    };
    let report = Node::fit()
        .file("sys/kernel/btf/vmlinux", kernel_btf(old))
        .run();
    let seen = evidence(&report, Id::Btf);
    assert_eq!(check(&report, Id::Btf).verdict, Unmet);
    for name in [
        "task_struct.start_boottime: no such field",
        "sched_process_exec",
        "task_rename",
    ] {
        assert!(seen.contains(name), "{name} is not in {seen}");
    }
    assert!(report.kernel().is_none());

    let newer = KernelTypes {
        tracepoints: &[
            "sched_process_exec",
            "sched_process_exit",
            "task_rename",
            "oom_score_adj_update",
        ],
        ..KernelTypes::default()
    };
    let report = Node::fit()
        .file("sys/kernel/btf/vmlinux", kernel_btf(newer))
        .run();
    assert!(has_end_check(report.kernel().unwrap()));
}

/// In BTF of an s390x kernel, the header has the other byte order.
#[test]
fn a_big_endian_kernel_is_named_and_no_newer_exectrail_is_promised() {
    let mut btf = kernel_btf(KernelTypes::default());
    btf[..2].reverse();
    let report = Node::fit().file("sys/kernel/btf/vmlinux", btf).run();
    let check = check(&report, Id::Btf);
    assert_eq!(check.verdict, Unmet);
    assert!(check.summary.contains("big-endian"), "{}", check.summary);
    let remedy = check.remedy.as_ref().unwrap();
    assert!(remedy.contains("amd64 or arm64"), "{remedy}");
    assert!(!remedy.contains("newer"), "{remedy}");
}

#[test]
fn btf_that_is_too_large_is_not_blamed_on_an_lsm() {
    let node = Node::fit();
    let btf = std::fs::File::create(node.path("sys/kernel/btf/vmlinux")).unwrap();
    btf.set_len((64 << 20) + 1).unwrap();
    let report = node.run();
    let check = check(&report, Id::Btf);
    assert_eq!(check.verdict, Unmet);
    assert!(
        check.summary.contains("larger than 64 MiB"),
        "{}",
        check.summary
    );
    assert!(!check.remedy.as_ref().unwrap().contains("LSM"), "{check:?}");
}

#[test]
fn a_kind_of_type_that_cannot_be_skipped_is_named() {
    let mut types = Writer::new();
    types.int("int", 4);
    types.plain(23, "", 0);
    let unknown = Node::fit()
        .file("sys/kernel/btf/vmlinux", types.finish())
        .run();
    let check = check(&unknown, Id::Btf);
    assert_eq!(check.verdict, Unmet);
    assert!(check.summary.contains("kind 23"), "{}", check.summary);
    assert!(
        check.remedy.as_ref().unwrap().contains("newer exectrail"),
        "{check:?}"
    );
}
