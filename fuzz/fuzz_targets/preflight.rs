//! Any bytes as a file that preflight reads: a report that fits a terminal and the formats.
#![no_main]

#[path = "../../preflight/tests/support/mod.rs"]
mod support;

use std::{cell::RefCell, fs};

use exectrail_preflight::{Format, Text};
use libfuzzer_sys::fuzz_target;
use support::Node;

/// What can be damaged. Whatever is not keeps what a node has on which all is well.
const FILES: [&str; 12] = [
    "proc/sys/kernel/osrelease",
    "proc/self/status",
    "proc/self/limits",
    "proc/self/uid_map",
    "proc/self/mountinfo",
    "proc/self/cgroup",
    "proc/1/comm",
    "proc/config.gz",
    "boot/config-6.1.0-37-amd64",
    "sys/kernel/security/lockdown",
    "sys/kernel/btf/vmlinux",
    "sys/fs/cgroup/memory.max",
];

thread_local! {
    static NODE: RefCell<Node> = RefCell::new(Node::fit());
}

fuzz_target!(|input: (u8, &[u8])| {
    let (which, content) = input;
    let file = FILES[usize::from(which) % FILES.len()];
    NODE.with_borrow_mut(|node| {
        let path = node.path(file);
        let before = fs::read(&path).ok();
        fs::create_dir_all(path.parent().expect("it is in a directory"))
            .expect("a scratch directory");
        fs::write(&path, content).expect("a scratch directory");
        let report = node.run();
        match before {
            Some(before) => fs::write(&path, before).expect("a scratch directory"),
            None => fs::remove_file(&path).expect("it was just written"),
        }
        let plain = Text {
            verbose: true,
            color: false,
        };
        for text in [report.text(plain), report.format(Format::Json)] {
            assert!(
                text.chars().all(|c| c == '\n' || !c.is_control()),
                "{text:?}"
            );
        }
        let npd = report.format(Format::Npd);
        assert!(npd.trim_end().chars().count() <= 80 && npd.lines().count() == 1);
    });
});
