//! Any bytes as a file that preflight reads: in every format, the report has no control character
//! except line breaks. For node-problem-detector it is one line of at most 80 characters.
#![no_main]
#![forbid(unsafe_code)]

#[path = "../../preflight/tests/support/mod.rs"]
mod support;

use std::fs;

use exectrail_preflight::{Format, Text};
use libfuzzer_sys::fuzz_target;
use support::Node;

/// The files that an input can replace, one at a time.
const FILES: [&str; 14] = [
    "proc/sys/kernel/osrelease",
    "proc/self/status",
    "proc/self/limits",
    "proc/self/uid_map",
    "proc/self/mountinfo",
    "proc/self/cgroup",
    "proc/1/comm",
    "proc/config.gz",
    "boot/config-5.10.0-46-amd64",
    "sys/kernel/security/lockdown",
    BTF,
    "sys/fs/cgroup/memory.max",
    "proc/version",
    "proc/cmdline",
];

/// Number of files that the bytes 0 to 253 choose. This number must not change, so that a saved
/// input keeps its file.
const FIRST: u8 = 12;

const BTF: &str = "sys/kernel/btf/vmlinux";

thread_local! {
    static NODE: Node = node();
    /// The content of each file while no input replaces it; `None` if the file does not exist.
    static SOUND: [Option<Vec<u8>>; FILES.len()] =
        NODE.with(|node| FILES.map(|file| fs::read(node.path(file)).ok()));
}

/// A node on which preflight reads every one of the files. Its kernel is so old that the limit of
/// locked memory matters, and the kernel's configuration has to explain why there is no BTF.
fn node() -> Node {
    let node = Node::fit().release("5.10.0-46-amd64").without(BTF);
    for file in FILES {
        let path = node.path(file);
        fs::create_dir_all(path.parent().expect("it is in a directory"))
            .expect("a scratch directory");
    }
    node
}

fuzz_target!(|input: (u8, &[u8])| {
    let (which, content) = input;
    // The bytes 254 and 255 choose the last two files.
    let which = usize::from(match which {
        254 | 255 => which - 254 + FIRST,
        _ => which % FIRST,
    });
    let report = NODE.with(|node| {
        let path = node.path(FILES[which]);
        fs::write(&path, content).expect("a scratch directory");
        let report = node.run();
        SOUND.with(|sound| match &sound[which] {
            Some(sound) => fs::write(&path, sound).expect("a scratch directory"),
            None => fs::remove_file(&path).expect("it was just written"),
        });
        report
    });
    let plain = Text {
        verbose: true,
        color: false,
    };
    let npd = report.format(Format::Npd);
    let texts = [
        &report.text(plain),
        &report.format(Format::Json),
        &report.format(Format::Nfd),
        &npd,
    ];
    for text in texts {
        assert!(!has_controls(text), "{text:?}");
    }
    assert!(npd.trim_end().chars().count() <= 80 && npd.lines().count() == 1);
});

/// Whether there is a control character other than the end of a line, also among U+0080 to U+009F.
/// The function does not branch on each character: the fuzzer would spend its time on these
/// branches.
fn has_controls(text: &str) -> bool {
    let bytes = text.as_bytes();
    let ascii = bytes.iter().fold(false, |found, &byte| {
        found | (byte < b' ') & (byte != b'\n') | (byte == 0x7f)
    });
    let next = bytes.get(1..).unwrap_or_default();
    let others = bytes.iter().zip(next).fold(false, |found, (&byte, &next)| {
        found | (byte == 0xc2) & (next < 0xa0)
    });
    ascii | others
}
