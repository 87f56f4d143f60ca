//! Tests of signals that stop the sidecar and signals that do not, and of standard streams that are
//! closed, full or never read.

use std::{
    fs::{self, File},
    io::{Read, Write as _},
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use rustix::{
    fs::{OFlags, fcntl_setfl},
    pipe::pipe,
    process::{Pid, Signal, kill_process},
};
use serde_json::Value;

use crate::{
    pod::{Pod, Sidecar, argv, descendant, execs, wait_for},
    tools::{EXECTRAIL, NOOP, TOOL, needs_kernel},
};

/// exectrail as the first process of its PID namespace, or not.
fn program(pod: &Pod, first: bool) -> Command {
    let mut command = if first {
        pod.container(EXECTRAIL)
    } else {
        pod.command(EXECTRAIL)
    };
    command.args(["--init-address=127.0.0.1:56123", "--announced-only"]);
    command
}

const BOTH: [bool; 2] = [true, false];

#[test]
#[ignore = "needs root: cargo xtask test"]
fn each_stop_signal_empties_the_ring() {
    needs_kernel!();
    for first in BOTH {
        for signal in [
            Signal::TERM,
            Signal::INT,
            Signal::HUP,
            Signal::QUIT,
            Signal::POWER,
        ] {
            let pod = Pod::new();
            let mut sidecar = Sidecar::spawn(program(&pod, first));
            sidecar.wait_until_on();
            let workspace = pod.workspace();
            assert_eq!(workspace.announce().0, 204);
            workspace.run(&*TOOL, &["burst", NOOP.to_str().unwrap(), "500"]);
            sidecar.signal(signal);
            let status = sidecar.wait();
            assert!(status.success(), "{signal:?}, first: {first}: {status}");
            let lines = sidecar.lines();
            assert_eq!(execs(&lines).len(), 501, "{signal:?}, first: {first}");
            assert_eq!(lines.last().unwrap()["msg"], "tracing_stopped");
        }
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn other_signals_change_nothing() {
    needs_kernel!();
    for first in BOTH {
        let pod = Pod::new();
        let mut sidecar = Sidecar::spawn(program(&pod, first));
        sidecar.wait_until_on();
        let workspace = pod.workspace();
        assert_eq!(workspace.announce().0, 204);
        for signal in [
            Signal::USR1,
            Signal::USR2,
            Signal::ALARM,
            Signal::VTALARM,
            Signal::PROF,
            Signal::IO,
            Signal::XCPU,
            Signal::XFSZ,
            Signal::PIPE,
            Signal::WINCH,
            Signal::URG,
            Signal::CONT,
        ] {
            sidecar.signal(signal);
        }
        workspace.run("uname", &[]);
        std::thread::sleep(Duration::from_millis(300));
        assert!(sidecar.is_running(), "{}", sidecar.diagnostics());
        assert_eq!(argv(execs(&sidecar.stop())[0]), ["uname"]);
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn nohup_is_respected() {
    needs_kernel!();
    let pod = Pod::new();
    let mut command = pod.command("nohup");
    command.args([EXECTRAIL, "--init-address=127.0.0.1:56123"]);
    let mut sidecar = Sidecar::spawn(command);
    sidecar.wait_until_on();
    sidecar.signal(Signal::HUP);
    std::thread::sleep(Duration::from_millis(300));
    assert!(sidecar.is_running());
    sidecar.stop();
}

/// exectrail, executed by a shell with these redirections.
fn redirected(pod: &Pod, to: &str) -> Command {
    let mut command = pod.container("sh");
    let script = format!("exec \"$0\" --init-address=127.0.0.1:56123 --refusal-grace=1s {to}");
    command.args(["-c", &script, EXECTRAIL]);
    command
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_closed_standard_output_is_an_error() {
    needs_kernel!();
    for to in [">&-", "<&- >&-"] {
        let pod = Pod::new();
        let output = redirected(&pod, to).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{to}: {said}");
        assert!(said.contains("standard output is closed"), "{to}: {said}");
    }
    let status = redirected(&Pod::new(), ">&- 2>&-").status().unwrap();
    assert_eq!(status.code(), Some(1));
    // A standard output that is open only for reading is an error, too.
    let output = redirected(&Pod::new(), "1</dev/null").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("cannot write events to standard output"),
        "{said}"
    );
}

/// /dev/null is accepted if it was opened for writing, or for reading and writing. A closed
/// standard output is an error, although the standard library then opens /dev/null in its place,
/// for reading and writing.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn events_can_be_discarded_on_purpose() {
    needs_kernel!();
    for to in [">/dev/null", "1<>/dev/null", "<&- >/dev/null"] {
        let pod = Pod::new();
        let mut sidecar = Sidecar::spawn(redirected(&pod, to));
        sidecar.wait_until_on();
        sidecar.signal(Signal::TERM);
        assert!(sidecar.wait().success(), "{to}");
    }
}

/// An exectrail whose standard output is not read.
struct Unread {
    child: Child,
    stderr: std::path::PathBuf,
}

impl Unread {
    fn start(pod: &Pod, stdout: OwnedFd, both: bool) -> Self {
        let stderr = pod.dir.path().join("diagnostics");
        let mut command = program(pod, true);
        if both {
            command.stderr(stdout.try_clone().unwrap());
        } else {
            command.stderr(File::create(&stderr).unwrap());
        }
        let child = command.stdout(stdout).spawn().unwrap();
        Self { child, stderr }
    }

    fn signal(&self) {
        let pid = wait_for("exectrail", || descendant(self.child.id(), "exectrail"));
        let pid = Pid::from_raw(pid.try_into().unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
    }

    /// Sends SIGTERM, and checks that exectrail ends in time, with an error.
    fn assert_ends(&mut self, what: &str) {
        self.signal();
        let start = Instant::now();
        let status: ExitStatus = wait_for("the end", || self.child.try_wait().unwrap());
        assert_eq!(status.code(), Some(1), "{what}");
        let took = start.elapsed();
        assert!(took < Duration::from_secs(20), "{what}: {took:?}");
    }

    /// The diagnostic with the number of unwritten lines.
    fn unwritten(&self) -> Value {
        let said = fs::read_to_string(&self.stderr).unwrap();
        let mut lines = said
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let found = lines.find(|line| line["msg"] == "some recorded events could not be written");
        found.unwrap_or_else(|| panic!("{said}"))["fields"].clone()
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn wait_until_on(pod: &Pod) {
    wait_for("the init address", || {
        let asked = pod
            .command(EXECTRAIL)
            .args(["ready", "--init-address=127.0.0.1:56123"])
            .stderr(Stdio::null())
            .status();
        asked.unwrap().success().then_some(())
    });
}

/// A signal ends exectrail in any case, and each exec is written, counted as not written, or lost.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_reader_that_never_reads_does_not_stop_the_end() {
    needs_kernel!();
    for (kind, ring) in [("pipe", "16MiB"), ("socket", "16MiB"), ("pipe", "4096")] {
        let pod = Pod::new();
        let (mut reader, writer): (Box<dyn Read>, OwnedFd) = if kind == "pipe" {
            let (reader, writer) = pipe().unwrap();
            (Box::new(File::from(reader)), writer)
        } else {
            let (reader, writer) = UnixStream::pair().unwrap();
            (Box::new(reader), writer.into())
        };
        let stderr = pod.dir.path().join("diagnostics");
        let mut command = program(&pod, true);
        let child = command
            .arg(format!("--ring-bytes={ring}"))
            .stdout(writer)
            .stderr(File::create(&stderr).unwrap())
            .spawn()
            .unwrap();
        drop(command);
        let mut unread = Unread { child, stderr };
        wait_until_on(&pod);
        let workspace = pod.workspace();
        assert_eq!(workspace.announce().0, 204);
        workspace.run(&*TOOL, &["burst", NOOP.to_str().unwrap(), "3000"]);
        unread.assert_ends(kind);
        let counts = unread.unwritten();
        let mut text = Vec::new();
        reader.read_to_end(&mut text).unwrap();
        let whole = text
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        let lines: Vec<Value> = std::str::from_utf8(&text[..whole])
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let count = |name: &str| counts[name].as_u64().unwrap();
        assert!(
            count("bytes") > 0 && count("lines") >= count("execs"),
            "{counts}"
        );
        assert_eq!(
            execs(&lines).len() as u64 + count("execs") + count("lost"),
            3001,
            "{kind}, {ring}: {counts}"
        );
        assert_eq!(count("lost") > 0, ring == "4096", "{counts}");
    }
}

/// The pipe is full before exectrail starts, so not even the first line can be written. If the pipe
/// is shared with the diagnostics, they cannot be written either.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_full_pipe_does_not_stop_the_end() {
    needs_kernel!();
    for both in BOTH {
        let pod = Pod::new();
        let (_reader, writer) = pipe().unwrap();
        fcntl_setfl(&writer, OFlags::NONBLOCK).unwrap();
        let mut full = File::from(writer.try_clone().unwrap());
        while full.write(&[b'x'; 4096]).is_ok() {}
        fcntl_setfl(&writer, OFlags::empty()).unwrap();
        let mut unread = Unread::start(&pod, writer, both);
        drop(full);
        let pid = wait_for("exectrail", || descendant(unread.child.id(), "exectrail"));
        wait_for("exectrail to look for signals", || {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
            let caught = status
                .lines()
                .find_map(|line| line.strip_prefix("SigCgt:"))?;
            let caught = u64::from_str_radix(caught.trim(), 16).unwrap();
            (caught & (1 << 14) != 0).then_some(())
        });
        unread.assert_ends(if both { "both" } else { "full" });
        if !both {
            let counts = unread.unwritten();
            assert!(counts["lines"].as_u64().unwrap() >= 1, "{counts}");
        }
    }
}

/// The disk stays full.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_full_disk_does_not_stop_the_end() {
    needs_kernel!();
    let pod = Pod::new();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut unread = Unread::start(&pod, full.into(), false);
    wait_for("the disk to be full", || {
        let said = fs::read_to_string(&unread.stderr).unwrap();
        said.contains("no room for events").then_some(())
    });
    unread.assert_ends("full disk");
    assert!(unread.unwritten()["lines"].as_u64().unwrap() >= 1);
}
