//! The verdicts on nodes as they are found, from copies of the files that they show.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that fails should stop where it failed"
)]

mod support;

use std::process::Command;

use exectrail_preflight::attach_points::AttachPoint;
use exectrail_preflight::{Check, Id, Kernel, KernelVersion, Report, Verdict};
use support::{KernelTypes, Node, kernel_btf};

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
    assert!(kernel.read_kernel && !kernel.needs_memlock && !has_end_check(kernel));
    assert_eq!(kernel.offsets.task_nsproxy, 16 + 72);
    assert_eq!(kernel.offsets.mm_arg_start, 64 + 280);
    assert_eq!(kernel.offsets.net_inum, 128 + 16);
    assert_eq!(kernel.offsets.uid_gid_map_extent, 8);
    assert_eq!(kernel.offsets.uid_gid_extent_size, 12);
    assert_eq!(kernel.offsets.upid_size, 16);
    // Copies of files are not the running kernel: nothing is tried.
    assert_eq!(check(&report, Id::Bpf).verdict, NotApplicable);
}

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
    // A damaged archive is passed over in favour of the next source.
    let damaged = bare().file(
        "proc/config.gz",
        [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xff, 0xff],
    );
    assert!(summary(damaged.file("boot/config-6.1.0-37-amd64", off)).contains("without BTF"));
    assert!(summary(bare().file("proc/config.gz", "not an archive")).contains("no kernel config"));
    // Container runtimes mask files with /dev/null.
    assert!(summary(Node::fit().link("sys/kernel/btf/vmlinux", "/dev/null")).contains("hidden"));
    assert!(summary(Node::fit().file("sys/kernel/btf/vmlinux", "")).contains("understood"));
    // Nothing at all where sysfs should be is no evidence of anything.
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
    // Locked memory without a limit needs nobody to raise it.
    let limits = support::LIMITS.replace("8388608", "unlimited");
    let node = Node::fit().release("5.10.0").cap_eff(BPF | PERFMON);
    assert_eq!(
        verdict(&node.file("proc/self/limits", limits), Id::Capabilities),
        Fit
    );
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

    // hostUsers: false, and a nested namespace that maps every id to itself.
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

#[test]
fn lockdown_forbids_in_confidentiality_mode() {
    let lockdown = |text| Node::fit().file("sys/kernel/security/lockdown", text);
    for (text, expected, read_kernel) in [
        ("[none] integrity confidentiality\n", Fit, true),
        ("none [integrity] confidentiality\n", Fit, true),
        ("none integrity [confidentiality]\n", Unmet, false),
        ("none integrity confidentiality\n", Unknown, false),
        ("[", Unknown, false),
        ("][", Unknown, false),
        ("[something]", Unknown, false),
    ] {
        let node = lockdown(text);
        assert_eq!(verdict(&node, Id::Lockdown), expected, "{text:?}");
        assert_eq!(
            node.run().kernel().unwrap().read_kernel,
            read_kernel,
            "{text:?}"
        );
    }
    let without = Node::fit().without("sys/kernel/security");
    assert_eq!(verdict(&without, Id::Lockdown), NotApplicable);
}

#[test]
fn memory_limits_of_both_cgroup_versions() {
    // The process, and long argv with lines and clients. The kernel's types, which are small here,
    // are given back before there is argv.
    let process = (12 << 20) + (16 << 20);
    // The ring, 128 slots for early argv, and room for failed execs on two CPUs. What each CPU has
    // for itself is the node's.
    let maps = (4 << 20) + 128 * (6144 + 32) + 2 * 4 * (4096 + 192);
    let needed = process + maps;
    let v2 = |limit: &str| {
        Node::fit()
            .file("sys/fs/cgroup/memory.max", limit)
            .file("sys/devices/system/cpu/possible", "0-1\n")
    };
    assert_eq!(verdict(&v2("max\n"), Id::Memory), Fit);
    assert_eq!(verdict(&v2(&needed.to_string()), Id::Memory), Fit);
    assert_eq!(verdict(&v2(&(needed - 1).to_string()), Id::Memory), Unmet);
    // Many CPUs need more slots. Holes in their list are no CPUs. What several lanes need, the node pays.
    let holes = v2(&needed.to_string()).file("sys/devices/system/cpu/possible", "0,126\n");
    assert_eq!(verdict(&holes, Id::Memory), Fit);
    let lanes = v2(&needed.to_string()).release("7.0.0");
    assert_eq!(verdict(&lanes, Id::Memory), Fit);
    let paid = evidence(&lanes.run(), Id::Memory);
    assert!(
        paid.contains("that the node pays, at most: 82 KiB for 2 possible CPUs; 122 KiB with"),
        "{paid}"
    );
    let many = v2(&needed.to_string()).file("sys/devices/system/cpu/possible", "0-3,8-191\n");
    assert_eq!(verdict(&many, Id::Memory), Unmet);
    assert_eq!(verdict(&v2("0\n"), Id::Memory), Unmet);
    assert_eq!(verdict(&v2("many\n"), Id::Memory), Unknown);
    assert_eq!(
        verdict(&v2("99999999999999999999999\n"), Id::Memory),
        Unknown
    );
    // Below 5.11 maps, the ring among them, count against locked memory instead.
    let old = |limit: u64| v2(&limit.to_string()).release("5.10.0");
    assert_eq!(verdict(&old(process), Id::Memory), Fit);
    assert_eq!(verdict(&old(process - 1), Id::Memory), Unmet);
    let with_huge_ring = |mut node: Node| {
        node.options.ring_bytes = u64::MAX;
        verdict(&node, Id::Memory)
    };
    assert_eq!(with_huge_ring(old(process)), Fit);
    assert_eq!(with_huge_ring(v2(&needed.to_string())), Unmet);

    // The least limit on the way up holds.
    let nested = v2("max\n")
        .file("proc/self/cgroup", "0::/kubepods/pod1/c1\n")
        .file("sys/fs/cgroup/kubepods/pod1/c1/memory.max", "max\n")
        .file("sys/fs/cgroup/kubepods/pod1/memory.max", "1048576\n");
    assert_eq!(verdict(&nested, Id::Memory), Unmet);
    assert!(evidence(&nested.run(), Id::Memory).contains("pod1/memory.max: 1048576"));

    let v1 = |limit: &str| {
        Node::fit()
            .file("proc/self/cgroup", "5:cpu,memory:/docker/c1\n0::/\n")
            .file("sys/fs/cgroup/memory/memory.limit_in_bytes", limit)
    };
    assert_eq!(verdict(&v1("9223372036854771712\n"), Id::Memory), Fit);
    assert_eq!(verdict(&v1("16777216\n"), Id::Memory), Unmet);

    let outside = v2("1\n").file("proc/self/cgroup", "0::/../../etc\n");
    assert_eq!(verdict(&outside, Id::Memory), Unmet);
    for cgroup in ["", "\n\n", "nonsense", "0", "::", "0::"] {
        let node = v2("max\n").file("proc/self/cgroup", cgroup);
        assert_eq!(verdict(&node, Id::Memory), Fit, "{cgroup:?}");
    }
    assert_eq!(
        verdict(&Node::fit().without("proc/self/cgroup"), Id::Memory),
        Unknown
    );
}

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
    assert!(
        check(&local.run(), Id::Scope)
            .summary
            .contains("every exec on the node")
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
    // Advice: exectrail traces, and waits for the port.
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
    // TEST-NET-3: nobody has it.
    node.options.init_address = Some("203.0.113.7:80".parse().unwrap());
    assert_eq!(verdict(&node, Id::InitAddress), Unmet);
}

#[test]
fn what_is_no_file_is_not_read() {
    let files = [
        ("proc/self/status", Id::Capabilities),
        ("proc/sys/kernel/osrelease", Id::Kernel),
        ("proc/self/cgroup", Id::Memory),
        ("sys/fs/cgroup/memory.max", Id::Memory),
    ];
    for (path, id) in files {
        // Each of them blocks a reader, has no end, or is of the wrong sort.
        let fifo = Node::fit().without(path);
        assert!(
            Command::new("mkfifo")
                .arg(fifo.path(path))
                .status()
                .unwrap()
                .success()
        );
        assert_eq!(verdict(&fifo, id), Unknown, "{path} as a pipe");
        assert_eq!(
            verdict(&Node::fit().link(path, "/dev/zero"), id),
            Unknown,
            "{path} as a device"
        );
        let directory = Node::fit().without(path).file(&format!("{path}/x"), "");
        assert_eq!(verdict(&directory, id), Unknown, "{path} as a directory");
        let huge = Node::fit();
        std::fs::File::create(huge.path(path))
            .unwrap()
            .set_len(1 << 40)
            .unwrap();
        assert_eq!(verdict(&huge, id), Unknown, "{path} of 1 TiB");
    }
    let huge = Node::fit();
    let btf = std::fs::File::create(huge.path("sys/kernel/btf/vmlinux")).unwrap();
    btf.set_len(1 << 40).unwrap();
    assert_eq!(verdict(&huge, Id::Btf), Unknown);
    let loops = Node::fit().link("sys/kernel/btf/vmlinux", "vmlinux");
    assert_eq!(verdict(&loops, Id::Btf), Unknown);
}

#[test]
fn an_empty_node_is_unknown_or_unmet_but_never_a_panic() {
    let report = Node::empty().run();
    assert_ne!(report.verdict(), Fit);
    assert!(report.kernel().is_none());
    let nowhere = Node::fit().without("proc").without("sys").without("boot");
    assert_eq!(nowhere.run().verdict(), Unknown);
}
