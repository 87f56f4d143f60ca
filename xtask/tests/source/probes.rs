//! The compiled probes are the same for every processor, so they must not use a layout of registers
//! that is known at compile time. User space gives them the offsets of registers.

use std::fs;
use std::path::Path;

use crate::crates::{name_of, root};

/// Types of aya-ebpf that give access to registers, whose layout depends on the processor.
const REGISTER_TYPES: [&str; 4] = ["pt_regs", "PtRegs", "ProbeContext", "RawTracePointContext"];

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
fn the_probes_know_no_layout_of_registers() {
    let mut files = 0;
    for_each_file(&root().join("probes-ebpf/src"), &mut |file| {
        files += 1;
        let text = fs::read_to_string(file).unwrap();
        for word in REGISTER_TYPES {
            assert!(!text.contains(word), "{} uses {word}", name_of(file));
        }
    });
    assert!(files > 0);
}
