//! Evidence files that are missing, too long, or not regular files.

use std::process::Command;

use exectrail_preflight::Id;

use crate::support::Node;
use crate::{Fit, Unknown, Unmet, verdict};

#[test]
fn what_is_no_file_is_not_read() {
    let files = [
        ("proc/self/status", Id::Capabilities),
        ("proc/sys/kernel/osrelease", Id::Kernel),
        ("proc/self/cgroup", Id::Memory),
        ("sys/fs/cgroup/memory.max", Id::Memory),
    ];
    for (path, id) in files {
        // Each of these blocks a reader, is too long, or has the wrong type.
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
    assert_eq!(verdict(&huge, Id::Btf), Unmet);
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
