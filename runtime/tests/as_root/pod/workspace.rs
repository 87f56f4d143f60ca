//! A workspace, and requests to the init address.

use std::{
    ffi::OsStr,
    io::Write as _,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use exectrail_testbed::process::descendant;

use super::wait::{namespace, wait_for};

/// A container whose first process sleeps; tests start other processes in it.
pub(crate) struct Workspace {
    child: Child,
    init: u32,
}

impl Workspace {
    pub(crate) fn spawn(mut command: Command) -> Self {
        let child = command
            .arg("infinity")
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let init = wait_for("the workspace", || descendant(child.id(), "sleep"));
        Self { child, init }
    }

    pub(crate) fn pid_ns(&self) -> u32 {
        namespace(self.init, "pid")
    }

    /// A command in the workspace; its start is one exec, of the command itself.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--target={}", self.init))
            .args(["--pid", "--net", "--mount", "--"])
            .arg(program);
        command
    }

    /// Runs a command to its end; it must succeed.
    pub(crate) fn run(&self, program: impl AsRef<OsStr>, arguments: &[&str]) {
        let status = self.command(program).args(arguments).status().unwrap();
        assert!(status.success());
    }

    /// Runs a command with this standard input; it must succeed.
    pub(crate) fn feed(&self, program: &Path, arguments: &[&Path], input: &[u8]) {
        let mut child = self
            .command(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        assert!(child.wait().unwrap().success());
    }

    /// Announces itself with curl, as an init script does. Returns status and text of the answer.
    pub(crate) fn announce(&self) -> (u16, String) {
        self.announce_as(self.pid_ns())
    }

    /// Announces this number.
    pub(crate) fn announce_as(&self, pid_ns: u32) -> (u16, String) {
        curl(
            self.command("curl"),
            &[
                "--data",
                &pid_ns.to_string(),
                "--header",
                "Content-Type: text/plain",
            ],
        )
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a request to the init address with curl. Returns status and text of the answer.
pub(crate) fn curl(command: Command, arguments: &[&str]) -> (u16, String) {
    curl_at(command, "/", arguments)
}

/// Sends a request to a path of the init address.
pub(crate) fn curl_at(mut command: Command, path: &str, arguments: &[&str]) -> (u16, String) {
    let Output { stdout, stderr, .. } = command
        .args(["--silent", "--show-error", "--max-time", "20"])
        .args(["--write-out", "\n%{http_code}", "--path-as-is"])
        .arg(format!("http://127.0.0.1:56123{path}"))
        .args(arguments)
        .output()
        .unwrap();
    let text = String::from_utf8(stdout).unwrap();
    let (body, status) = text
        .rsplit_once('\n')
        .unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&stderr)));
    let status = status.parse().unwrap();
    assert_ne!(status, 0, "{}", String::from_utf8_lossy(&stderr));
    (status, body.trim_end().to_owned())
}
