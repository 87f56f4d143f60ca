//! `unsafe` exists only in the crates that need it.

use std::fs;

use crate::crates::{crate_roots, name_of, root};

/// The root files of the crates that may lack `forbid(unsafe_code)`.
const EXCEPTIONS: [&str; 8] = [
    "preflight/src/lib.rs",
    "preflight/tests/denials_are_explained.rs",
    "probes-ebpf/src/main.rs",
    "runtime/src/lib.rs",
    "runtime/src/main.rs",
    "runtime/tests/cost_per_event.rs",
    "testbed/src/lib.rs",
    "vm-tests/src/bin/exectrail-vm-guest/main.rs",
];

#[test]
fn crates_forbid_unsafe_code_unless_contributing_names_them() {
    let contributing = fs::read_to_string(root().join("CONTRIBUTING.md")).unwrap();
    let (_, exceptions) = contributing.split_once("`forbid(unsafe_code)`").unwrap();
    let (exceptions, _) = exceptions.split_once("\n- ").unwrap();
    for crate_root in crate_roots() {
        let text = fs::read_to_string(&crate_root).unwrap();
        if text.contains("\n#![forbid(unsafe_code)]\n") {
            continue;
        }
        let name = name_of(&crate_root);
        assert!(
            EXCEPTIONS.contains(&name.as_str()),
            "{name} has no #![forbid(unsafe_code)]"
        );
        let directory = name.split('/').next().unwrap();
        assert!(
            exceptions.contains(&format!("`{directory}")),
            "CONTRIBUTING.md does not name {directory} as an exception: {exceptions}"
        );
    }
}
