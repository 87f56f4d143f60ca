//! A state that cannot be used never prevents tracing.

use std::fs;

use crate::{
    pod::{Pod, argvs, messages, wait_for},
    tools::needs_kernel,
};

/// The state is damaged, of an unknown version, another pod's, not a file, or cannot be written: a
/// diagnostic reports it, and exectrail traces.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_state_that_cannot_be_used_is_reported_and_does_not_prevent_tracing() {
    needs_kernel!();
    let other = Pod::new();
    let dir = format!("--state-dir={}", other.dir.path().display());
    other.sidecar(&[&dir]).stop();
    let foreign = fs::read_to_string(other.dir.path().join("exectrail-state.json")).unwrap();
    for (contents, expected) in [
        ("", "is damaged"),
        ("{\"version\":1,\"targets\":[]}", "is damaged"),
        ("\u{0}\u{0}", "is damaged"),
        ("{\"version\":99}", "has version 99"),
        (&*foreign, "belongs to another pod"),
    ] {
        let pod = Pod::new();
        let file = pod.dir.path().join("exectrail-state.json");
        fs::write(&file, contents).unwrap();
        check_unusable(&pod, pod.dir.path(), expected);
    }

    let pod = Pod::new();
    fs::create_dir(pod.dir.path().join("exectrail-state.json")).unwrap();
    check_unusable(&pod, pod.dir.path(), "not a regular file");

    let pod = Pod::new();
    let fifo = pod.dir.path().join("exectrail-state.json");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, 0o600.into()).unwrap();
    check_unusable(&pod, pod.dir.path(), "not a regular file");

    let pod = Pod::new();
    check_unusable(&pod, &pod.dir.path().join("nowhere"), "cannot write");
    check_unusable(&pod, std::path::Path::new("/proc/self"), "cannot write");
}

fn check_unusable(pod: &Pod, dir: &std::path::Path, expected: &str) {
    let sidecar = pod.sidecar(&[&format!("--state-dir={}", dir.display())]);
    // exectrail behaves as it does without a state, and the stream says so.
    let workspace = pod.workspace();
    workspace.run("uname", &["-a"]);
    let line = wait_for("a diagnostic about the state", || {
        let diagnostics = sidecar.diagnostics();
        let mut lines = diagnostics.lines();
        lines
            .find(|line| line.contains(expected))
            .map(str::to_owned)
    });
    assert!(line.contains("\"WARN\""), "{line}");
    let lines = sidecar.stop();
    assert!(argvs(&lines).contains(&vec!["uname", "-a"]));
    let unknown = messages(&lines, "workspace_unknown");
    assert_eq!(unknown.len(), 1, "{expected}: {lines:#?}");
}
