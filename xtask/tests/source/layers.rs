//! The modules of `runtime` are layers.

use std::fs;
use std::path::Path;

use crate::crates::{name_of, root};
use crate::uses::uses_between_files;

/// The modules of `runtime`, in the order of docs/architecture.md: each uses only modules after it.
const LAYERS: [&str; 15] = [
    "commands",
    "cli",
    "actors",
    "stream",
    "output",
    "state",
    "telemetry",
    "config",
    "probes",
    "event",
    "handshake",
    "labels",
    "suppression",
    "redaction",
    "process",
];

#[test]
fn modules_of_runtime_use_only_those_below_them() {
    let source = root().join("runtime/src");
    let layer = |file: &Path| {
        let path = file.strip_prefix(&source).unwrap().with_extension("");
        let module = path.iter().next().unwrap().to_str().unwrap().to_owned();
        LAYERS.iter().position(|layer| *layer == module)
    };
    for (file, used) in uses_between_files(&source.join("lib.rs")) {
        for used in used {
            if let (Some(upper), Some(lower)) = (layer(&file), layer(&used)) {
                let (file, used) = (name_of(&file), name_of(&used));
                assert!(upper <= lower, "{file} uses {used}");
            }
        }
    }
    let architecture = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let rows: Vec<&str> = architecture
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` |"))
        .map(|(module, _)| module)
        .filter(|module| LAYERS.contains(module))
        .collect();
    assert_eq!(rows, LAYERS);
}
