//! Labels come from files of the downward API, and change when the kubelet replaces the files.

use std::{fs, os::unix::fs::symlink, path::PathBuf, process::Command};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::{
    pod::{Pod, Sidecar, wait_for},
    tools::{EXECTRAIL, needs_kernel},
};

/// A volume of the downward API, changed as the kubelet changes it (`AtomicWriter`, pkg/volume/util
/// of Kubernetes 1.33). Files are links through the link `..data`, and a rename replaces this link.
struct Volume {
    dir: PathBuf,
    written: u32,
}

impl Volume {
    fn new(pod: &Pod, files: &[(&str, &str)]) -> Self {
        let dir = pod.dir.path().join("podinfo");
        fs::create_dir(&dir).unwrap();
        for (name, _) in files {
            symlink(format!("..data/{name}"), dir.join(name)).unwrap();
        }
        let mut volume = Self { dir, written: 0 };
        volume.replace(files);
        volume
    }

    fn replace(&mut self, files: &[(&str, &str)]) {
        let before = self.dir.join(format!("..{}", self.written));
        self.written += 1;
        let name = format!("..{}", self.written);
        let now = self.dir.join(&name);
        fs::create_dir(&now).unwrap();
        for (name, text) in files {
            fs::write(now.join(name), text).unwrap();
        }
        symlink(&name, self.dir.join("..data_tmp")).unwrap();
        fs::rename(self.dir.join("..data_tmp"), self.dir.join("..data")).unwrap();
        if before.exists() {
            fs::remove_dir_all(before).unwrap();
        }
    }

    fn flag(&self, name: &str) -> String {
        format!("--label-file={}", self.path(name))
    }

    fn path(&self, name: &str) -> String {
        self.dir.join(name).to_str().unwrap().to_owned()
    }
}

/// Waits until a sidecar has written `count` lines `labels_changed`; returns the last of these
/// lines.
fn changed(sidecar: &Sidecar, count: usize) -> Value {
    wait_for("labels_changed", || {
        let lines = sidecar.lines();
        let mut changes = lines.iter().filter(|line| line["msg"] == "labels_changed");
        changes.nth(count - 1).cloned()
    })
}

/// The labels of the line of the exec with this `argv[1]`.
fn labels_of(lines: &[Value], argument: &str) -> Value {
    let is_it = |line: &&Value| line["fields"]["event"]["argv"][1] == argument;
    lines.iter().find(is_it).unwrap()["fields"]["labels"].clone()
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_claimed_workspace_has_the_name_of_its_owner() {
    needs_kernel!();
    let pod = Pod::new();
    let mut volume = Volume::new(
        &pod,
        &[
            (
                "labels",
                "app=\"x\"\ncom.coder.user.username=\"prebuilds\"\n",
            ),
            ("annotations", ""),
        ],
    );
    let mut sidecar = pod.sidecar(&[
        "--label=user_email=nobody@example.com",
        "--label=workspace_id=0668",
        &volume.flag("labels"),
        &volume.flag("annotations"),
        "--label-file-key=username=com.coder.user.username",
        "--label-file-key=user_email=com.coder.user.email",
    ]);
    let workspace = pod.workspace();
    assert_eq!(workspace.announce().0, 204);
    workspace.run("true", &["before"]);
    volume.replace(&[
        ("labels", "app=\"y\"\ncom.coder.user.username=\"jessie\"\n"),
        (
            "annotations",
            "com.coder.user.email=\"\\\"Zoë \\u202e\\\"@example.com\"",
        ),
    ]);
    let expected = json!({
        "user_email": "\"Zoë \u{202e}\"@example.com",
        "username": "jessie",
        "workspace_id": "0668",
    });
    // exectrail may see the two files change one after the other.
    let line = wait_for("the new labels", || {
        let lines = sidecar.lines();
        let mut lines = lines
            .into_iter()
            .filter(|line| line["msg"] == "labels_changed");
        lines.find(|line| line["fields"]["labels"] == expected)
    });
    let files = line["fields"]["files"].as_array().unwrap();
    assert!(!files.is_empty());
    for file in files {
        let of_volume = ["labels", "annotations"].map(|name| json!(volume.path(name)));
        assert!(of_volume.contains(file), "{line}");
    }
    workspace.run("true", &["after"]);
    sidecar.signal(Signal::TERM);
    assert_eq!(sidecar.wait().code(), Some(0));
    let lines = sidecar.lines();
    verify(&sidecar);
    assert_eq!(
        labels_of(&lines, "before"),
        json!({
            "user_email": "nobody@example.com",
            "username": "prebuilds",
            "workspace_id": "0668",
        })
    );
    assert_eq!(labels_of(&lines, "after"), expected);
    // Each line has the labels of the last change before it.
    let mut labels = lines[0]["fields"]["labels"].clone();
    for line in &lines {
        if line["msg"] == "labels_changed" {
            assert_ne!(line["fields"]["labels"], labels);
            labels = line["fields"]["labels"].clone();
        }
        assert_eq!(line["fields"]["labels"], labels, "{line}");
    }
    assert_eq!(lines.last().unwrap()["msg"], "tracing_stopped");
}

/// Checks that the log is as exectrail wrote it.
fn verify(sidecar: &Sidecar) {
    let output = Command::new(EXECTRAIL)
        .arg("verify")
        .arg(sidecar.log())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn the_last_good_labels_stay_and_the_diagnostics_say_why() {
    needs_kernel!();
    let pod = Pod::new();
    let mut volume = Volume::new(&pod, &[("labels", "username=\"jessie\"")]);
    let sidecar = pod.sidecar(&[&volume.flag("labels")]);
    let too_long = format!("username=\"{}\"", "x".repeat(5000));
    for (text, reason) in [
        ("username=jessie", "line 1 of the label file"),
        (&*too_long, "a quarter of --max-line-bytes"),
    ] {
        volume.replace(&[("labels", text)]);
        wait_for(reason, || {
            let said = sidecar.diagnostics();
            said.contains(reason).then_some(())
        });
    }
    volume.replace(&[("other", "")]);
    wait_for("the missing file", || {
        let said = sidecar.diagnostics();
        said.contains("cannot read the label file").then_some(())
    });
    let workspace = pod.workspace();
    assert_eq!(workspace.announce().0, 204);
    workspace.run("true", &["meanwhile"]);
    volume.replace(&[("labels", "username=\"alex\"")]);
    changed(&sidecar, 1);
    wait_for("the end of the failures", || {
        let said = sidecar.diagnostics();
        said.contains("can be used again").then_some(())
    });
    let lines = sidecar.stop();
    assert_eq!(
        labels_of(&lines, "meanwhile"),
        json!({"username": "jessie"})
    );
    let last = &lines.last().unwrap()["fields"]["labels"];
    assert_eq!(*last, json!({"username": "alex"}));
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn files_that_cannot_be_used_at_the_start_are_refused_with_the_reason() {
    needs_kernel!();
    let pod = Pod::new();
    let long = format!("a=\"{}\"", "x".repeat(4096));
    let files = [
        ("malformed", "a=1", "is not a label"),
        ("long", &*long, "a quarter of --max-line-bytes"),
    ];
    for (name, text, _) in files {
        fs::write(pod.dir.path().join(name), text).unwrap();
    }
    let others = [
        ("missing", "", "No such file or directory"),
        (".", "", "is not a regular file"),
    ];
    for (name, _, reason) in files.into_iter().chain(others) {
        let path = pod.dir.path().join(name).display().to_string();
        let mut command = pod.container(EXECTRAIL);
        command
            .args(["--init-address=127.0.0.1:56123", "--refusal-grace=10m"])
            .arg(format!("--label-file={path}"));
        let mut sidecar = Sidecar::spawn(command);
        let output = pod
            .container(EXECTRAIL)
            .args(["announce", "--exec", "--", "echo", "untraced"])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{name}: {said}");
        assert!(said.contains(reason), "{name}: {said}");
        assert_eq!(output.stdout, b"");
        assert!(sidecar.diagnostics().contains(reason), "{name}");
        sidecar.signal(Signal::TERM);
        assert_eq!(sidecar.wait().code(), Some(1));
        assert!(sidecar.lines().is_empty());
    }
}
