//! Kata Containers. Kata's runtime passes these values to the guest, and preflight recognizes Kata
//! by any of them:
//! - words of the kernel's command line: `systemd.unit=kata-containers.target`, settings of the
//!   agent;
//! - the share `kataShared`.

use exectrail_preflight::{Id, Report};

use crate::support::Node;
use crate::{Fit, Unmet, check, evidence};

const COMMAND_LINE: &str = "tsc=reliable no_timer_check rcupdate.rcu_expedited=1 reboot=k \
    cryptomgr.notests net.ifnames=0 pci=lastbus=0 root=/dev/pmem0p1 ro rootfstype=ext4 \
    console=hvc0 quiet systemd.show_status=false panic=1 nr_cpus=1 selinux=0 \
    systemd.unit=kata-containers.target systemd.mask=systemd-networkd.service \
    systemd.mask=systemd-networkd.socket scsi_mod.scan=none\n";
const AGENT: &str = "reboot=k panic=1 root=/dev/vda1 agent.log_vport=1025 agent.log=debug\n";
const MOUNTS: &str = "60 45 0:26 /4b1f/rootfs / rw,relatime - virtiofs kataShared rw\n\
    61 60 0:34 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw\n";

fn guests() -> [Node; 3] {
    [
        Node::fit().file("proc/cmdline", COMMAND_LINE),
        Node::fit().file("proc/cmdline", AGENT),
        Node::fit().file("proc/self/mountinfo", MOUNTS),
    ]
}

fn remedy(report: &Report, id: Id) -> &str {
    let check = check(report, id);
    assert_eq!(check.verdict, Unmet, "{check:?}");
    check.remedy.as_deref().unwrap()
}

#[test]
fn kata_is_no_obstacle() {
    for node in guests() {
        let report = node.run();
        let platform = check(&report, Id::Platform);
        assert_eq!(platform.verdict, Fit);
        assert!(platform.summary.contains("Kata"), "{}", platform.summary);
        assert_eq!(report.verdict(), Fit);
    }
    let evidence = evidence(&guests()[0].run(), Id::Platform);
    assert!(
        evidence.contains("systemd.unit=kata-containers.target"),
        "{evidence}"
    );
}

#[test]
fn what_its_guest_kernel_lacks_is_not_the_nodes_fault() {
    for node in guests() {
        let report = node.without("sys/kernel/btf").release("5.4.0").run();
        for id in [Id::Kernel, Id::Btf] {
            let remedy = remedy(&report, id);
            for word in [
                "runtimeClassName",
                "guest kernel",
                "CONFIG_DEBUG_INFO_BTF=y",
            ] {
                assert!(remedy.contains(word), "{word}: {remedy}");
            }
        }
    }
    let plain = Node::fit().without("sys/kernel/btf").run();
    assert!(!remedy(&plain, Id::Btf).contains("Kata"));
}
