//! Signals to exectrail, and how the command ends.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    time::Duration,
};

use rustix::process::{Signal, kill_process, kill_process_group};

use crate::{pod::wait_for, tools::needs_kernel};

use super::{Run, SIGNALS};

/// Without a terminal, a signal to exectrail, or to its whole process group, reaches the command
/// once.
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
        wait_for("exectrail to block SIGTERM", || {
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
