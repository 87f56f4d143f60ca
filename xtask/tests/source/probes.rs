//! One object of the probes is right for every machine.

use std::fs;
use std::path::Path;

use crate::crates::{name_of, root};

/// Types of aya-ebpf with arguments in registers, whose layout differs between processors.
const OF_ONE_PROCESSOR: [&str; 4] = ["pt_regs", "PtRegs", "ProbeContext", "RawTracePointContext"];

/// Calls `check` for each file below the directory.
fn for_each_file(directory: &Path, check: &mut dyn FnMut(&Path)) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            for_each_file(&path, check);
        } else {
            check(&path);
        }
    }
}

#[test]
fn the_probes_read_no_registers() {
    let mut files = 0;
    for_each_file(&root().join("probes-ebpf/src"), &mut |file| {
        files += 1;
        let text = fs::read_to_string(file).unwrap();
        for word in OF_ONE_PROCESSOR {
            assert!(!text.contains(word), "{} uses {word}", name_of(file));
        }
    });
    assert!(files > 0);
}
