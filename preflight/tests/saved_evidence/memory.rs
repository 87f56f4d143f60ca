//! Verdicts on memory limits, with cgroup v1 and v2.

use exectrail_preflight::Id;

use crate::support::Node;
use crate::{Fit, Unknown, Unmet, evidence, verdict};

#[test]
fn memory_limits_of_both_cgroup_versions() {
    // What exectrail itself needs, plus what long argv, lines and clients need. The kernel's types
    // add nothing: they are smaller here than the second part, and are freed before argv is kept.
    let process = (12 << 20) + (16 << 20);
    // The ring, 128 slots for early argv, and memory for failed execs on two CPUs. The node pays
    // for the values of per-CPU maps.
    let maps = (4 << 20) + 128 * (6144 + 32) + 2 * 4 * (4096 + 2 * 1024 + 200);
    let needed = process + maps;
    let v2 = |limit: &str| {
        Node::fit()
            .file("sys/fs/cgroup/memory.max", limit)
            .file("sys/devices/system/cpu/possible", "0-1\n")
    };
    assert_eq!(verdict(&v2("max\n"), Id::Memory), Fit);
    assert_eq!(verdict(&v2(&needed.to_string()), Id::Memory), Fit);
    assert_eq!(verdict(&v2(&(needed - 1).to_string()), Id::Memory), Unmet);
    // Gaps in the list of CPUs are not counted.
    let holes = v2(&needed.to_string()).file("sys/devices/system/cpu/possible", "0,126\n");
    assert_eq!(verdict(&holes, Id::Memory), Fit);
    // The node also pays for the additional values of several lanes.
    let lanes = v2(&needed.to_string()).release("7.0.0");
    assert_eq!(verdict(&lanes, Id::Memory), Fit);
    let paid = evidence(&lanes.run(), Id::Memory);
    assert!(
        paid.contains("that the node pays, at most: 139 KiB for 2 possible CPUs; 99 KiB without"),
        "{paid}"
    );
    // More CPUs need more slots.
    let many = v2(&needed.to_string()).file("sys/devices/system/cpu/possible", "0-3,8-191\n");
    assert_eq!(verdict(&many, Id::Memory), Unmet);
    assert_eq!(verdict(&v2("0\n"), Id::Memory), Unmet);
    assert_eq!(verdict(&v2("many\n"), Id::Memory), Unknown);
    assert_eq!(
        verdict(&v2("99999999999999999999999\n"), Id::Memory),
        Unknown
    );
    // From 5.11 to 5.19 the container also pays for the values of per-CPU maps.
    let both = needed + 2 * (10_240 + 13_500 + 12_288);
    let middle = |limit: u64| v2(&limit.to_string()).release("5.15.0-1053-aws");
    assert_eq!(verdict(&middle(both), Id::Memory), Fit);
    assert_eq!(verdict(&middle(both - 1), Id::Memory), Unmet);
    let paid = evidence(&middle(both).run(), Id::Memory);
    assert!(
        paid.contains("per-CPU memory in that sum: 70 KiB for 2 possible CPUs; 46 KiB without"),
        "{paid}"
    );
    // Before 5.11 maps, including the ring, count against locked memory instead.
    let old = |limit: u64| v2(&limit.to_string()).release("5.10.0");
    assert_eq!(verdict(&old(process), Id::Memory), Fit);
    assert_eq!(verdict(&old(process - 1), Id::Memory), Unmet);
    let unmet = evidence(&old(process - 1).run(), Id::Memory);
    assert!(!unmet.contains("ring buffer"), "{unmet}");
    let with_huge_ring = |mut node: Node| {
        node.options.ring_bytes = u64::MAX;
        verdict(&node, Id::Memory)
    };
    assert_eq!(with_huge_ring(old(process)), Fit);
    assert_eq!(with_huge_ring(v2(&needed.to_string())), Unmet);

    // The lowest limit on the path to the root applies.
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
