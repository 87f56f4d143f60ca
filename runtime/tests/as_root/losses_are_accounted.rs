//! Lines and losses together are all execs that happened: with a stopped reader, a slow pipe, and a
//! full disk.

use rustix::process::Signal;
use serde_json::Value;

use crate::{
    pod::{Pod, Sidecar, argv, execs, lost, messages},
    tools::{NOOP, TOOL, needs_kernel, usable_cpus},
};

/// A number of short execs for which a ring of 16 MiB has room.
const BURST: u64 = 50_000;

/// The sum of the `lost` lines, which the last line must have, too.
fn accounted_losses(lines: &[Value]) -> u64 {
    let sum = lost(lines);
    let stopped = messages(lines, "tracing_stopped")[0];
    assert_eq!(stopped["fields"]["lost"], sum);
    assert_eq!(stopped["fields"]["execs"], execs(lines).len());
    sum
}

/// Runs `count` programs while SIGSTOP stops exectrail.
fn burst_while_stopped(pod: &Pod, sidecar: &Sidecar, count: u64) {
    let workspace = pod.workspace();
    assert_eq!(workspace.announce().0, 204);
    // exectrail has time to finish its work for the announcement before it is stopped.
    std::thread::sleep(std::time::Duration::from_millis(300));
    sidecar.signal(Signal::STOP);
    // The program's path in the tests' directory can be long, so the test uses a short path.
    let short = pod.dir.path().join("n");
    std::fs::copy(&*NOOP, &short).unwrap();
    let half = (count / 2).to_string();
    let start = || {
        let mut command = workspace.command(&*TOOL);
        command.arg("burst").arg(&short).arg(&half).spawn().unwrap()
    };
    for mut burst in [start(), start()] {
        assert!(burst.wait().unwrap().success());
    }
    sidecar.signal(Signal::CONT);
}

/// The numbers of the execs of all bursts, in the order of the log.
fn numbers(lines: &[Value]) -> Vec<u64> {
    execs(lines)
        .into_iter()
        .map(argv)
        .filter(|argv| argv[0] == "noop")
        .map(|argv| argv[1].parse().unwrap())
        .collect()
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_burst_waits_in_the_ring() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&["--announced-only", "--ring-bytes=16MiB"]);
    burst_while_stopped(&pod, &sidecar, BURST);
    let lines = sidecar.stop();
    assert_eq!(accounted_losses(&lines), 0);
    let mut seen = numbers(&lines);
    seen.sort_unstable();
    let expected: Vec<u64> = (0..BURST / 2).flat_map(|number| [number, number]).collect();
    assert_eq!(seen, expected);
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn kept_and_lost_are_all_that_ran() {
    needs_kernel!();
    for ring in ["4096", "64KiB"] {
        let pod = Pod::new();
        let sidecar = pod.sidecar(&["--announced-only", "--ring-bytes", ring]);
        burst_while_stopped(&pod, &sidecar, 2_000);
        let lines = sidecar.stop();
        let lost = accounted_losses(&lines);
        // The execs of the two programs that make the bursts are recorded or lost too.
        assert_eq!(
            execs(&lines).len() as u64 + lost,
            2_000 + 2,
            "ring of {ring}"
        );
        assert!(lost > 0, "a ring of {ring} cannot have held everything");
        assert!(!numbers(&lines).is_empty());
    }
}

/// The sequences of all places together lack as many numbers as execs are lost.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn gaps_in_the_sequence_numbers_count_the_losses() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&["--announced-only", "--ring-bytes", "64KiB"]);
    burst_while_stopped(&pod, &sidecar, 2_000);
    // A gap shows only at a later exec on the same CPU.
    std::thread::sleep(std::time::Duration::from_millis(300));
    let workspace = pod.workspace();
    assert_eq!(workspace.announce().0, 204);
    for cpu in usable_cpus() {
        workspace.run("taskset", &["--cpu-list", &cpu.to_string(), "true"]);
    }
    let lines = sidecar.stop();
    let mut gaps = 0;
    let mut next = std::collections::BTreeMap::new();
    for event in execs(&lines) {
        let seq = event["seq"].as_u64().unwrap();
        let place = (
            event["cpu"].as_u64().unwrap(),
            event["lane"].as_u64().unwrap_or(0),
        );
        let expected = next.entry(place).or_insert(0);
        assert!(seq >= *expected);
        gaps += seq - *expected;
        *expected = seq + 1;
    }
    assert!(gaps > 0);
    assert_eq!(gaps, accounted_losses(&lines));
}

/// `exectrail verify` accepts a log with losses, and finds a removed line.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn verify_tells_a_loss_from_a_gap() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&["--announced-only", "--ring-bytes", "64KiB"]);
    burst_while_stopped(&pod, &sidecar, 2_000);
    let log = pod.dir.path().join("log");
    let lines = sidecar.stop();
    assert!(accounted_losses(&lines) > 0);
    let verify = |lines: &[Value]| {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        std::fs::write(&log, text).unwrap();
        let output = std::process::Command::new(crate::tools::EXECTRAIL)
            .args(["verify", "--rewritten"])
            .arg(&log)
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    let (status, report) = verify(&lines);
    assert_eq!(status, Some(0), "{report}");
    assert!(report.contains("every exec is accounted for"), "{report}");
    let last_exec = lines
        .iter()
        .rposition(|line| line["msg"] == "exec")
        .unwrap();
    let without = [&lines[..last_exec], &lines[last_exec + 1..]].concat();
    let (status, report) = verify(&without);
    assert_eq!(status, Some(1), "{report}");
    assert!(report.contains("fault"), "{report}");
}

/// A file system, unmounted when dropped.
struct Disk(std::path::PathBuf);

impl Disk {
    fn mount(&self, options: &str) {
        let status = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(&self.0)
            .status()
            .unwrap();
        assert!(status.success());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(&self.0).status();
    }
}

/// On a full disk exectrail waits. Once there is space, exectrail writes every line whole.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_full_disk_is_waited_for() {
    needs_kernel!();
    let pod = Pod::new();
    let disk = Disk(pod.dir.path().join("disk"));
    std::fs::create_dir(&disk.0).unwrap();
    disk.mount("size=128k");
    let log = disk.0.join("log");
    let mut command = pod.container("sh");
    command.args([
        "-c",
        &format!(
            "exec {} --announced-only --init-address=127.0.0.1:56123 >{}",
            crate::tools::EXECTRAIL,
            log.display()
        ),
    ]);
    let mut sidecar = Sidecar::spawn(command);
    sidecar.wait_until_on();
    let workspace = pod.workspace();
    assert_eq!(workspace.announce().0, 204);
    workspace.run(&*TOOL, &["burst", NOOP.to_str().unwrap(), "2000"]);
    crate::pod::wait_for("the disk to be full", || {
        sidecar
            .diagnostics()
            .contains("no room for events")
            .then_some(())
    });
    // Meanwhile exectrail still answers announcements.
    assert_eq!(workspace.announce().0, 204);
    disk.mount("remount,size=64m");
    sidecar.signal(Signal::TERM);
    assert!(sidecar.wait().success());
    let lines: Vec<Value> = std::fs::read_to_string(&log)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(accounted_losses(&lines), 0);
    assert_eq!(numbers(&lines), (0..2000).collect::<Vec<_>>());
}

/// A sink that blocks for a while delays the reader, and nothing is lost.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_slow_pipe_loses_nothing() {
    needs_kernel!();
    let pod = Pod::new();
    let fifo = pod.dir.path().join("fifo");
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    let mut command = pod.container("sh");
    command.args([
        "-c",
        &format!(
            "exec {} --announced-only --init-address=127.0.0.1:56123 >{}",
            crate::tools::EXECTRAIL,
            fifo.display()
        ),
    ]);
    let (log, reader) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut pipe = std::fs::File::open(fifo).unwrap();
        std::thread::sleep(std::time::Duration::from_secs(3));
        let mut text = String::new();
        std::io::Read::read_to_string(&mut pipe, &mut text).unwrap();
        log.send(text).unwrap();
    });
    let mut sidecar = Sidecar::spawn(command);
    sidecar.wait_until_on();
    let workspace = pod.workspace();
    assert_eq!(workspace.announce().0, 204);
    let noop = NOOP.to_str().unwrap();
    workspace.run(&*TOOL, &["burst", noop, "2000"]);
    sidecar.signal(Signal::TERM);
    assert!(sidecar.wait().success());
    let text = reader.recv().unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(accounted_losses(&lines), 0);
    assert_eq!(numbers(&lines), (0..2000).collect::<Vec<_>>());
}

/// SIGSTOP stops exectrail for longer than the periods in which it reads the ring and checks the
/// clock and the targets. Meanwhile programs are executed, and the ring overflows. Each exec is
/// recorded or lost.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_long_stop() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&["--announced-only", "--ring-bytes", "4096"]);
    let workspace = pod.workspace();
    assert_eq!(workspace.announce().0, 204);
    std::thread::sleep(std::time::Duration::from_millis(300));
    sidecar.signal(Signal::STOP);
    let since = std::time::Instant::now();
    let mut ran = 0;
    while since.elapsed() < std::time::Duration::from_secs(35) {
        workspace.run(&*TOOL, &["burst", NOOP.to_str().unwrap(), "10"]);
        ran += 11;
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
    sidecar.signal(Signal::CONT);
    workspace.run("true", &[]);
    let lines = sidecar.stop();
    let lost = accounted_losses(&lines);
    assert!(lost > 0);
    assert_eq!(execs(&lines).len() as u64 + lost, ran + 1);
}
