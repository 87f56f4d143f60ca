//! The script does not start the agent, and shows the reason.

use std::{process::Command, thread::scope};

use crate::{
    pod::{Pod, Sidecar, wait_for},
    tools::{EXECTRAIL, needs_kernel},
};

use super::{AGENT, Client, Image, SHELLS, assert_refused, script};

#[test]
#[ignore = "needs root: cargo xtask test"]
fn without_a_sidecar_nothing_starts() {
    needs_kernel!();
    let pod = Pod::new();
    let script = script(AGENT, &[("announce_timeout_seconds", 2.into())]);
    scope(|threads| {
        for shell in SHELLS {
            for client in Client::of(shell) {
                let (pod, script) = (&pod, &script);
                threads.spawn(move || {
                    let output = Image::with(&[client]).output(pod, shell, script);
                    let words = ["127.0.0.1:56123", "within 2 s", "--init-address"];
                    assert_refused(&output, 1, &words, &(shell, client));
                });
            }
        }
    });
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_503_is_shown_with_its_reason() {
    needs_kernel!();
    let pod = Pod::new();
    let mut command = pod.container("setpriv");
    command
        .args(["--bounding-set", "-all", EXECTRAIL])
        .args(["--init-address=127.0.0.1:56123", "--refusal-grace=60s"]);
    let sidecar = Sidecar::spawn(command);
    wait_for("the refusal", || {
        sidecar
            .diagnostics()
            .contains("cannot trace here")
            .then_some(())
    });
    let script = script(AGENT, &[]);
    for shell in SHELLS {
        for client in Client::of(shell) {
            let output = Image::with(&[client]).output(&pod, shell, &script);
            assert_refused(&output, 1, &["503", "CAP_BPF"], &(shell, client));
        }
    }
}

/// A PID namespace whose first process is exectrail cannot be announced.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_403_is_shown_with_its_reason() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&["--announced-only"]);
    let own = sidecar.pid();
    let script = script(AGENT, &[]);
    scope(|threads| {
        for shell in SHELLS {
            for client in Client::of(shell) {
                let script = &script;
                threads.spawn(move || {
                    let mut command = Command::new("nsenter");
                    command.arg(format!("--target={own}")).args([
                        "--pid",
                        "--net",
                        "--",
                        "unshare",
                        "--mount",
                        "--mount-proc",
                        "sh",
                    ]);
                    let image = Image::with(&[client]);
                    let output = image.run(command, shell, &[], script).output().unwrap();
                    assert_refused(&output, 1, &["403", "exectrail's own"], &(shell, client));
                });
            }
        }
    });
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn an_image_without_any_client_is_refused_with_what_to_add() {
    needs_kernel!();
    let pod = Pod::new();
    let _sidecar = pod.sidecar(&["--announced-only"]);
    let script = script(AGENT, &[]);
    for shell in SHELLS.iter().filter(|shell| shell.len() == 1) {
        let output = Image::with(&[]).output(&pod, shell, &script);
        assert_refused(
            &output,
            127,
            &["curl", "wget", "/opt/exectrail/exectrail"],
            shell,
        );
    }
}

/// Without `date` the script would ask for ever, and without `sleep` it would not pause.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn an_image_without_date_or_sleep_is_refused_with_the_reason() {
    needs_kernel!();
    let pod = Pod::new();
    let script = script(AGENT, &[]);
    // busybox has `date` and `sleep` as builtins, and is left out.
    for shell in SHELLS.iter().filter(|shell| shell.len() == 1) {
        for program in ["date", "sleep"] {
            let image = Image::with(&[Client::Curl]);
            std::fs::remove_file(image.dir.path().join(program)).unwrap();
            let output = image.output(&pod, shell, &script);
            let question = format!("is {program} in the image?");
            assert_refused(&output, 1, &[&question], &(shell, program));
        }
    }
}
