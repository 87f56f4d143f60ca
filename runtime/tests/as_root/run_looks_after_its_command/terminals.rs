//! The terminal that exectrail was started on.

use std::{
    fs,
    io::Read as _,
    path::Path,
    process::{Command, Stdio},
};

use tempfile::TempDir;

use crate::{
    pod::wait_for,
    tools::{EXECTRAIL, needs_kernel},
};

/// Runs a command on a terminal that a Python script operates; returns what the script prints. In
/// the script, `p` is the command's process id, and `t` is the master side of the terminal. The
/// last line is the command's `status`.
pub(super) fn on_a_terminal(script: &str, command: &[&str]) -> String {
    let frame = "import os, pty, select, signal, sys, time\n\
        for s in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT): signal.signal(s, signal.SIG_DFL)\n\
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

/// Ctrl-C reaches the command once, even if the command has left its caller's process group.
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

/// The shell's jobs have their own process groups. After the end of `exectrail run`, the terminal
/// belongs to the caller again.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn an_interactive_shell_has_job_control() {
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
