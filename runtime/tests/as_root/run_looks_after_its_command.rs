//! `exectrail run`: signals, terminals, orphans, the log file, and commands that cannot be
//! executed.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    pod::wait_for,
    tools::{EXECTRAIL, needs_kernel},
};

const SIGNALS: [(Signal, &str); 6] = [
    (Signal::TERM, "TERM"),
    (Signal::INT, "INT"),
    (Signal::HUP, "HUP"),
    (Signal::QUIT, "QUIT"),
    (Signal::USR1, "USR1"),
    (Signal::USR2, "USR2"),
];

/// `exectrail run` with a log, which must end with `tracing_stopped`.
struct Run {
    child: Child,
    dir: TempDir,
}

impl Run {
    /// Starts it in a session of its own, without a terminal. SIGINT and SIGQUIT are reset to their
    /// defaults: if a shell started the tests in the background, they are ignored.
    fn start(command: &[&str]) -> Self {
        let dir = TempDir::new().unwrap();
        let child = Command::new("env")
            .args(["--default-signal=INT,QUIT", "setsid"])
            .args([EXECTRAIL, "run", "--output=json", "--log"])
            .arg(dir.path().join("log"))
            .arg("--")
            .args(command)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(dir.path().join("stderr")).unwrap())
            .spawn()
            .unwrap();
        Self { child, dir }
    }

    /// Its process id, which is its process group as well: `setsid` does not fork, because it is
    /// not the leader of a group.
    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().try_into().unwrap()).unwrap()
    }

    fn wait(&mut self) -> ExitStatus {
        let child = &mut self.child;
        wait_for("the command's end", || child.try_wait().unwrap())
    }

    fn log(&self) -> Vec<Value> {
        let log = fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
        let lines = log.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// The last line is `tracing_stopped`, so everything before it was written.
    fn assert_whole(&self) {
        let lines = self.log();
        let last = lines.last().map(|line| &line["msg"]);
        assert_eq!(last, Some(&Value::from("tracing_stopped")), "{lines:?}");
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = kill_process(self.pid(), Signal::KILL);
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_command_in_another_group_or_session_is_waited_for() {
    needs_kernel!();
    let new_group = "import os, sys; os.setpgid(0, 0); sys.exit(3)";
    for (command, status) in [
        (&["timeout", "9", "true"][..], 0),
        (&["timeout", "--foreground", "9", "sh", "-c", "exit 5"], 5),
        (&["setsid", "sh", "-c", "exit 4"], 4),
        (&["setsid", "--fork", "--wait", "sh", "-c", "exit 6"], 6),
        (&["bash", "-c", "set -m; (exit 2) & wait %1"], 2),
        (&["python3", "-c", new_group], 3),
        (&["bash", "--norc", "-i", "-c", "exit 7"], 7),
    ] {
        let mut run = Run::start(command);
        assert_eq!(run.wait().code(), Some(status), "{command:?}");
        run.assert_whole();
    }
}

/// Orphans are processes whose parents have ended or never wait for them.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn orphans_are_reaped() {
    needs_kernel!();
    let script = "for i in 1 2 3 4 5 6 7 8 9; do\n\
        (setsid sh -c 'exit 0' &)\n(true & exec true)\ndone\n\
        i=0\nwhile cat /proc/[0-9]*/stat 2>/dev/null | grep -q ') Z '; do\n\
        sleep 0.1; i=$((i + 1)); [ $i -lt 300 ] || exit 1\ndone";
    assert_eq!(Run::start(&["sh", "-c", script]).wait().code(), Some(0));
}

/// A signal to exectrail, or to its whole process group, reaches the command once.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn signals_reach_the_command_once() {
    needs_kernel!();
    for (signal, name) in SIGNALS {
        for whole_group in [false, true] {
            let script = format!(
                "trap 'echo {name}; n=1' {name}; n=0; echo ready\n\
                 while [ $n = 0 ]; do sleep 0.05; done; sleep 0.3; exit 5"
            );
            let mut run = Run::start(&["sh", "-c", &script]);
            let mut stdout = BufReader::new(run.child.stdout.take().unwrap());
            let mut line = String::new();
            stdout.read_line(&mut line).unwrap();
            if whole_group {
                kill_process_group(run.pid(), signal).unwrap();
            } else {
                kill_process(run.pid(), signal).unwrap();
            }
            let what = format!("{name}, to the group: {whole_group}");
            assert_eq!(run.wait().code(), Some(5), "{what}");
            let mut rest = String::new();
            stdout.read_to_string(&mut rest).unwrap();
            assert_eq!(rest, format!("{name}\n"), "{what}");
            run.assert_whole();
        }
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_signal_that_ends_the_command_is_the_status() {
    needs_kernel!();
    for (signal, name) in SIGNALS {
        let mut run = Run::start(&["sh", "-c", "echo ready; exec sleep 1000"]);
        let mut ready = [0; 6];
        run.child
            .stdout
            .as_mut()
            .unwrap()
            .read_exact(&mut ready)
            .unwrap();
        kill_process(run.pid(), signal).unwrap();
        assert_eq!(run.wait().code(), Some(128 + signal.as_raw()), "{name}");
        run.assert_whole();
    }
}

/// SIGTERM ends `run` at any time during its start.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_signal_while_it_starts() {
    needs_kernel!();
    for delay in (0..600).step_by(60) {
        let mut run = Run::start(&["sleep", "1000"]);
        wait_for("exectrail to look for signals", || {
            let status = fs::read_to_string(format!("/proc/{}/status", run.child.id())).unwrap();
            let blocked = status
                .lines()
                .find_map(|line| line.strip_prefix("SigBlk:"))?;
            let blocked = u64::from_str_radix(blocked.trim(), 16).unwrap();
            (blocked & (1 << 14) != 0).then_some(())
        });
        std::thread::sleep(Duration::from_millis(delay));
        kill_process(run.pid(), Signal::TERM).unwrap();
        assert_eq!(run.wait().code(), Some(128 + 15), "after {delay} ms");
        let lines = run.log();
        let last = lines.last().map(|line| &line["msg"]);
        assert!(
            last.is_none_or(|msg| msg == "tracing_stopped"),
            "after {delay} ms: {lines:?}"
        );
    }
}

/// Runs a Python script that acts as the terminal. The command is its `argv`, `p` the command's
/// process and `t` the terminal. It prints the command's `status` at the end.
fn on_a_terminal(script: &str, command: &[&str]) -> String {
    let frame = "import os, pty, select, signal, sys, time\n\
        for s in (signal.SIGINT, signal.SIGQUIT): signal.signal(s, signal.SIG_DFL)\n\
        p, t = pty.fork()\n\
        if p == 0: os.execv(sys.argv[1], sys.argv[1:])\n\
        def until(word):\n\
        \x20   seen = b''\n\
        \x20   while word not in seen: seen += os.read(t, 4096)\n\
        def quiet():\n\
        \x20   seen = b''\n\
        \x20   while select.select([t], [], [], 1)[0]: seen += os.read(t, 4096)\n\
        \x20   return seen\n\
        def press(line, key, word):\n\
        \x20   seen = b''\n\
        \x20   while word not in seen:\n\
        \x20       os.write(t, line); quiet(); os.write(t, key); seen += quiet()\n";
    let end = "\nprint('status', os.waitstatus_to_exitcode(os.waitpid(p, 0)[1]))\n";
    let mut python = Command::new("python3")
        .args(["-c", &format!("{frame}{script}{end}")])
        .args(command)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for("the terminal's script", || python.try_wait().unwrap());
    let mut printed = String::new();
    python.stdout.unwrap().read_to_string(&mut printed).unwrap();
    printed
}

/// As [`on_a_terminal`], for a command under `exectrail run`.
fn run_on_a_terminal(script: &str, log: &Path, command: &[&str]) -> String {
    let log = log.to_str().unwrap();
    let run = [EXECTRAIL, "run", "--output=json", "--log", log, "--"];
    on_a_terminal(script, &[&run, command].concat())
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_closing_terminal_ends_the_command() {
    needs_kernel!();
    for command in [
        &["sh", "-c", "echo ready; exec sleep 1000"][..],
        &["setsid", "sh", "-c", "echo ready; exec sleep 1000"],
        &[
            "sh",
            "-c",
            "trap 'exit 129' HUP; echo ready; while :; do sleep 0.1; done",
        ],
    ] {
        let dir = TempDir::new().unwrap();
        let log = dir.path().join("log");
        let printed = run_on_a_terminal("until(b'ready')\nos.close(t)", &log, command);
        assert_eq!(printed, "status 129\n", "{command:?}");
        let log = fs::read_to_string(&log).unwrap();
        assert!(
            log.lines().last().unwrap().contains("tracing_stopped"),
            "{log}"
        );
    }
}

/// Ctrl-C reaches the command once, whether or not it has left its caller's process group.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_key_reaches_the_command_once() {
    needs_kernel!();
    let script = "trap 'echo got; n=1' INT; n=0; echo ready\n\
        while [ $n = 0 ]; do sleep 0.05; done; sleep 0.3; exit 5";
    let play = "until(b'ready')\nos.write(t, b'\\x03')\nall = b''\n\
        while True:\n\
        \x20   try: more = os.read(t, 4096)\n\
        \x20   except OSError: break\n\
        \x20   if not more: break\n\
        \x20   all += more\n\
        print('got', all.count(b'got'))";
    for command in [&["sh", "-c", script][..], &["setsid", "sh", "-c", script]] {
        let dir = TempDir::new().unwrap();
        let printed = run_on_a_terminal(play, &dir.path().join("log"), command);
        assert_eq!(printed, "got 1\nstatus 5\n", "{command:?}");
    }
}

/// Its jobs have their own process groups. Afterwards the terminal belongs to the caller again.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn an_interactive_shell_is_at_home() {
    needs_kernel!();
    let play = "until(b'# ')\npress(b'sleep 1000\\n', b'\\x03', b'# ')\n\
        press(b'sleep 999\\n', b'\\x1a', b'Stopped')\n\
        os.write(t, b'kill -KILL $(jobs -p)\\n')\n\
        while True:\n\
        \x20   try: os.write(t, b'exit 7\\n'); quiet()\n\
        \x20   except OSError: break";
    let dir = TempDir::new().unwrap();
    let shell = ["env", "PS1=# ", "bash", "--norc", "--noprofile", "-i"];
    let printed = run_on_a_terminal(play, &dir.path().join("log"), &shell);
    assert_eq!(printed, "status 7\n");
    let log = dir.path().join("other");
    let script = format!(
        "{EXECTRAIL} run --log {} -- bash --norc -i -c true; read line && echo \"read $line\"",
        log.display()
    );
    let play = "os.write(t, b'typed\\n')\nuntil(b'read typed')";
    let printed = on_a_terminal(play, &["/bin/sh", "-c", &script]);
    assert_eq!(printed, "status 0\n");
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_log_that_is_a_fifo_is_waited_for_and_can_be_interrupted() {
    needs_kernel!();
    for (signal, _) in SIGNALS.into_iter().take(4) {
        let dir = TempDir::new().unwrap();
        let fifo = dir.path().join("fifo");
        assert!(
            Command::new("mkfifo")
                .arg(&fifo)
                .status()
                .unwrap()
                .success()
        );
        let stderr = dir.path().join("stderr");
        let mut child = Command::new("env")
            .args(["--default-signal=INT,QUIT", EXECTRAIL])
            .args(["run", "--output=json", "--log"])
            .arg(&fifo)
            .args(["--", "true"])
            .stderr(fs::File::create(&stderr).unwrap())
            .spawn()
            .unwrap();
        wait_for("the line", || {
            let said = fs::read_to_string(&stderr).unwrap();
            said.contains("waiting for a reader of the FIFO")
                .then_some(())
        });
        let reads = signal == Signal::TERM;
        if reads {
            let lines = fs::read_to_string(&fifo).unwrap();
            assert!(
                lines.lines().last().unwrap().contains("tracing_stopped"),
                "{lines}"
            );
        } else {
            let pid = Pid::from_raw(child.id().try_into().unwrap()).unwrap();
            kill_process(pid, signal).unwrap();
        }
        let status = wait_for("the end", || child.try_wait().unwrap());
        let expected = if reads { 0 } else { 128 + signal.as_raw() };
        assert_eq!(status.code(), Some(expected), "{signal:?}");
    }
}

/// Command lines can contain secrets, so only the owner may read the log.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn the_log_is_its_owners_alone() {
    needs_kernel!();
    let dir = TempDir::new().unwrap();
    let log = dir.path().join("log");
    let run = |umask: &str| {
        let status = Command::new("sh")
            .args([
                "-c",
                "umask \"$1\"; shift; exec \"$@\"",
                "sh",
                umask,
                EXECTRAIL,
            ])
            .args(["run", "--log"])
            .arg(&log)
            .args(["--", "true"])
            .status()
            .unwrap();
        assert!(status.success());
        fs::metadata(&log).unwrap().permissions().mode() & 0o777
    };
    assert_eq!(run("000"), 0o600);
    // A file that exists keeps its mode.
    fs::set_permissions(&log, fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(run("000"), 0o640);
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn what_cannot_be_executed_is_an_error_of_run() {
    needs_kernel!();
    for (command, status, why) in [
        ("/no/such/command", 127, "No such file"),
        ("no-such-command-anywhere", 127, "No such file"),
        ("/etc/passwd", 126, "Permission denied"),
        ("/etc", 126, "Permission denied"),
    ] {
        let output = Command::new(EXECTRAIL)
            .args(["run", "--", command])
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(status), "{said}");
        let line = format!("exectrail run: cannot execute {command:?}: {why}");
        assert!(said.contains(&line), "{said}");
        assert!(!said.contains("announce:"), "{said}");
    }
}
