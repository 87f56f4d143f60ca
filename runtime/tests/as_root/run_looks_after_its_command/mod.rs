//! `exectrail run`: signals, terminals and its output on them, orphans, the log file, and commands
//! that cannot be executed.

mod log_file;
mod processes;
mod screen;
mod signals;
mod terminals;

use std::{
    fs,
    process::{Child, Command, ExitStatus, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::{pod::wait_for, tools::EXECTRAIL};

/// `exectrail run` with a log.
struct Run {
    child: Child,
    dir: TempDir,
}

impl Run {
    /// Starts it in a new session, without a terminal. SIGHUP, SIGINT and SIGQUIT are reset to
    /// their defaults, because nohup or a shell may have started the tests with these signals
    /// ignored.
    fn start(command: &[&str]) -> Self {
        let dir = TempDir::new().unwrap();
        let child = Command::new("env")
            .args(["--default-signal=HUP,INT,QUIT", "setsid"])
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

    /// The process id of `exectrail run`, which is also its process group. `setsid` does not fork,
    /// because it is not the leader of a group.
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

    /// Checks that the last line is `tracing_stopped`, which is written after all other lines.
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

const SIGNALS: [(Signal, &str); 6] = [
    (Signal::TERM, "TERM"),
    (Signal::INT, "INT"),
    (Signal::HUP, "HUP"),
    (Signal::QUIT, "QUIT"),
    (Signal::USR1, "USR1"),
    (Signal::USR2, "USR2"),
];
