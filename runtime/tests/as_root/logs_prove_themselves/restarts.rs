//! The proof spans restarts, kills and full disks.

use std::fs;

use rustix::process::Signal;
use serde_json::Value;

use super::{Files, last_of, report, sidecar, stop, wait_for_checkpoint};
use crate::{
    pod::{Pod, Sidecar},
    tools::{EXECTRAIL, needs_kernel},
};

/// Kills the sidecar; returns the complete lines of its log.
fn kill(mut sidecar: Sidecar) -> String {
    sidecar.signal(Signal::KILL);
    assert!(!sidecar.wait().success());
    let text = fs::read_to_string(sidecar.log()).unwrap();
    text[..=text.rfind('\n').unwrap()].to_owned()
}

fn previous_checkpoint(log: &str) -> Value {
    let first: Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
    first["fields"]["previous_run"]["checkpoint"].clone()
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn the_end_of_a_run_cannot_be_cut_if_another_follows() {
    needs_kernel!();
    let pod = Pod::new();
    let files = Files::new(pod.dir.path());
    let state = format!("--state-dir={}", pod.dir.path().display());
    let workspace = pod.workspace();

    // One run is killed, and the next one is stopped on request.
    let killed = sidecar(&pod, &files, &[&state]);
    workspace.run("uname", &["-s"]);
    wait_for_checkpoint(&killed);
    wait_for_checkpoint(&killed);
    // A checkpoint reaches the state a moment after its line. Any checkpoint in the state is
    // sufficient.
    crate::pod::wait_for("the checkpoint in the state", || {
        let file = pod.dir.path().join("exectrail-state.json");
        let text = fs::read_to_string(file).ok()?;
        text.contains("\"checkpoint\":{").then_some(())
    });
    let killed = kill(killed);
    let stopped = sidecar(&pod, &files, &[&state]);
    workspace.run("uname", &["-a"]);
    let stopped = stop(stopped);
    let third = stop(sidecar(&pod, &files, &[&state]));

    let in_state = previous_checkpoint(&stopped);
    assert!(in_state["line"].as_u64().unwrap() > 0, "{in_state}");
    let last: Value = serde_json::from_str(stopped.lines().last().unwrap()).unwrap();
    let in_state = previous_checkpoint(&third);
    assert_eq!(in_state["line"], last["fields"]["line"], "{in_state}");
    assert_eq!(in_state["head"], last["fields"]["head"], "{in_state}");

    let [killed, stopped, third] =
        [&killed, &stopped, &third].map(|log| log.lines().collect::<Vec<_>>());
    let until = last_of(&third, "complete_until");
    let all = [&killed[..], &stopped, &third].concat();
    let output = files.verify_all(&all, &until);
    assert!(output.status.success(), "{}", report(&output));
    assert!(
        report(&output).contains("it was killed"),
        "{}",
        report(&output)
    );
    for (what, changed) in [
        ("first run", [&stopped[..], &third].concat()),
        ("middle run", [&killed[..], &third].concat()),
        ("last run", [&killed[..], &stopped].concat()),
        (
            "end of the first",
            [&killed[..2], &stopped, &third].concat(),
        ),
        (
            "end of the middle",
            [&killed[..], &stopped[..stopped.len() - 1], &third].concat(),
        ),
        ("order", [&stopped[..], &killed, &third].concat()),
    ] {
        let output = files.verify_all(&changed, &until);
        assert_eq!(output.status.code(), Some(1), "{what}: {}", report(&output));
        // The change is also found without key and time, unless the last run is missing: only
        // `--until` shows that.
        let output = files.verify(&changed, &[]);
        let found = output.status.code() == Some(1);
        assert_eq!(found, what != "last run", "{what}: {}", report(&output));
    }
    // A collector may mix the lines of two runs; each run is still whole.
    let mut mixed = killed.clone();
    let (begin, end) = stopped.split_at(1);
    mixed.splice(mixed.len() - 1..mixed.len() - 1, begin.iter().copied());
    let mixed = [&mixed[..], end, &third].concat();
    let output = files.verify_all(&mixed, &until);
    assert!(output.status.success(), "{}", report(&output));
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_killed_run_is_proved_up_to_its_last_checkpoint() {
    needs_kernel!();
    let pod = Pod::new();
    let files = Files::new(pod.dir.path());
    let workspace = pod.workspace();
    let sidecar = sidecar(&pod, &files, &[]);
    workspace.run("uname", &["-s"]);
    wait_for_checkpoint(&sidecar);
    wait_for_checkpoint(&sidecar);
    let log = kill(sidecar);
    let lines: Vec<&str> = log.lines().collect();
    let until = last_of(&lines, "complete_until");
    let output = files.verify_all(&lines, &until);
    assert!(output.status.success(), "{}", report(&output));
    assert!(
        report(&output).contains("or was killed"),
        "{}",
        report(&output)
    );
    let later = "2999-01-01T00:00:00Z";
    let output = files.verify_all(&lines, later);
    assert_eq!(output.status.code(), Some(1), "{}", report(&output));
}

/// A file system, unmounted when dropped.
struct Disk(std::path::PathBuf);

impl Disk {
    fn mount(&self, options: &str) {
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]);
        assert!(mount.arg(&self.0).status().unwrap().success());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(&self.0).status();
    }
}

/// If the disk becomes full within a line, the rest of the line follows later; the chain covers the
/// whole line.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_full_disk_does_not_break_the_chain() {
    needs_kernel!();
    let pod = Pod::new();
    let files = Files::new(pod.dir.path());
    let disk = Disk(pod.dir.path().join("disk"));
    fs::create_dir(&disk.0).unwrap();
    disk.mount("size=400k");
    let log = disk.0.join("log");
    let mut command = pod.container("sh");
    let script = format!(
        "exec {EXECTRAIL} --init-address=127.0.0.1:56123 --checkpoint=1s \
         --max-argv-bytes=1MiB {} >{}",
        files.sign(),
        log.display()
    );
    command.args(["-c", &script]);
    let mut sidecar = Sidecar::spawn(command);
    sidecar.wait_until_on();
    let workspace = pod.workspace();
    assert_eq!(workspace.announce().0, 204);
    // The lines of this exec exceed the 512 KiB that are kept in memory.
    let long = "x".repeat(100_000);
    let words: Vec<&str> = std::iter::repeat_n(long.as_str(), 8).collect();
    workspace.run("true", &words);
    crate::pod::wait_for("the disk to be full", || {
        let said = sidecar.diagnostics();
        said.contains("no room for events").then_some(())
    });
    disk.mount("remount,size=64m");
    workspace.run("true", &[]);
    sidecar.signal(Signal::TERM);
    assert!(sidecar.wait().success());
    let text = fs::read_to_string(&log).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let argv_lines = lines
        .iter()
        .filter(|line| line.contains("\"msg\":\"exec_argv\""));
    assert!(argv_lines.count() > 40);
    let output = files.verify_all(&lines, &last_of(&lines, "complete_until"));
    assert!(output.status.success(), "{}", report(&output));
}
