//! Runs the README's script unchanged, with a curl that lacks newer options.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output},
};

use crate::{
    pod::{Pod, Sidecar, argv, execs, wait_for},
    tools::{EXECTRAIL, needs_kernel},
};

/// The first shell block of the README that announces.
fn script() -> String {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = fs::read_to_string(readme).unwrap();
    let mut blocks = readme.split("```sh\n").skip(1);
    let block = blocks
        .find(|block| block.contains("/proc/self/ns/pid"))
        .unwrap();
    block.split("```").next().unwrap().to_owned()
}

/// Runs the script in a container with a proxy that does not exist, and a curl that lacks three
/// options newer than 7.52. Returns the output, and the number of curl's requests.
fn run(pod: &Pod) -> (Output, usize) {
    let bin = pod.dir.path().join("bin");
    fs::create_dir_all(&bin).unwrap();
    let curl = bin.join("curl");
    let old = "#!/bin/sh\nfor option in \"$@\"; do case \"$option\" in\n\
        --fail-with-body|--retry-all-errors|--json)\n\
        echo \"curl: option $option: is unknown\" >&2; exit 2 ;;\nesac; done\n\
        echo >>\"$0.requests\"\nexec /usr/bin/curl \"$@\"\n";
    fs::write(&curl, old).unwrap();
    fs::set_permissions(&curl, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", bin.display());
    let mut command: Command = pod.container("env");
    command
        .args([
            &format!("PATH={path}"),
            "AGENT=/usr/bin/uname",
            "PATIENCE=5",
        ])
        .args([
            "http_proxy=http://127.0.0.1:9",
            "ALL_PROXY=http://127.0.0.1:9",
        ])
        .args(["sh", "-c", &script()]);
    let output = command.output().unwrap();
    let requests = fs::read(bin.join("curl.requests")).unwrap_or_default();
    (output, requests.len())
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn the_agent_starts_once_it_is_traced() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&["--announced-only"]);
    let (output, _) = run(&pod);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stdout, b"Linux\n", "{output:?}");
    let lines = sidecar.stop();
    let events = execs(&lines);
    assert!(
        events.iter().any(|event| argv(event) == ["/usr/bin/uname"]),
        "{lines:?}"
    );
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_refusal_is_shown_and_nothing_starts() {
    needs_kernel!();
    let pod = Pod::new();
    let mut command = pod.container("setpriv");
    command
        .args(["--bounding-set", "-all", EXECTRAIL])
        .args(["--init-address=127.0.0.1:56123", "--refusal-grace=100s"]);
    let sidecar = Sidecar::spawn(command);
    wait_for("the refusal", || {
        let said = sidecar.diagnostics();
        said.contains("cannot trace here").then_some(())
    });
    let (output, requests) = run(&pod);
    assert!(!output.status.success(), "{output:?}");
    assert_eq!(output.stdout, b"", "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("CAP_BPF"), "{said}");
    assert!(said.contains("503"), "{said}");
    // A refusal is final.
    assert_eq!(requests, 1);
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn without_exectrail_nothing_starts() {
    needs_kernel!();
    let (output, requests) = run(&Pod::new());
    assert!(!output.status.success(), "{output:?}");
    assert_eq!(output.stdout, b"", "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("curl: (7)"), "{said}");
    assert!(requests > 1);
}
