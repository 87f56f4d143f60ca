//! An address that cannot be bound does not prevent tracing: exectrail retries.

mod retries;
mod startup;

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use crate::{
    pod::{Pod, Sidecar, Workspace, argv, execs, wait_for},
    tools::EXECTRAIL,
};

/// Ways in which Python takes port 56123.
const WAYS: [(&str, &str); 5] = [
    (
        "a listener",
        "s = socket.socket(); s.bind(('127.0.0.1', 56123)); s.listen()",
    ),
    (
        "a listener on every address",
        "s = socket.socket(socket.AF_INET6); s.bind(('::', 56123)); s.listen()",
    ),
    (
        "a socket that is only bound",
        "s = socket.socket(); s.bind(('127.0.0.1', 56123))",
    ),
    (
        "a connection from that port",
        "t = socket.socket(); t.bind(('127.0.0.1', 8000)); t.listen()\n\
         s = socket.socket(); s.bind(('127.0.0.1', 56123)); s.connect(('127.0.0.1', 8000))",
    ),
    (
        "a connection that the kernel gave that port",
        // The option below allows the kernel to choose only port 56123.
        "t = socket.socket(); t.bind(('127.0.0.1', 8000)); t.listen()\n\
         s = socket.socket()\n\
         s.setsockopt(0, 51, struct.pack('=I', 56123 << 16 | 56123))\n\
         s.connect(('127.0.0.1', 8000))",
    ),
];

/// Start of the call that sets the option IP_LOCAL_PORT_RANGE, number 51 (Linux 6.3).
const PORT_RANGE: &str = "s.setsockopt(0, 51,";

/// A process that holds an address until its standard input ends.
struct Squatter(Child);

impl Squatter {
    fn new(mut python: Command, way: &str) -> Self {
        let script = format!(
            "import socket, struct, sys\n{way}\nprint('held', flush=True)\nsys.stdin.read()"
        );
        let mut child = python
            .args(["-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert_eq!(line, "held\n");
        Self(child)
    }

    fn let_go(mut self) {
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
    }
}

impl Drop for Squatter {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether `exectrail ready` succeeds in the sidecar's network.
fn is_ready(pod: &Pod, address: &str) -> bool {
    let mut ready = pod.command(EXECTRAIL);
    ready.args(["ready", "--init-address", address]);
    ready.stderr(Stdio::null()).status().unwrap().success()
}

/// Waits for the line of an exec with this argument.
fn wait_for_exec(sidecar: &Sidecar, argument: &str) {
    wait_for(argument, || {
        execs(&sidecar.lines())
            .iter()
            .any(|event| argv(event).get(1) == Some(&argument))
            .then_some(())
    });
}

/// Announces until there is an answer.
fn announce_with_patience(workspace: &Workspace) -> (u16, String) {
    let script = format!(
        "for i in $(seq 600); do curl --silent --max-time 20 --write-out '\\n%{{http_code}}' \
         --header 'Content-Type: text/plain' --data {} http://127.0.0.1:56123 && exit; \
         sleep 0.1; done; exit 1",
        workspace.pid_ns()
    );
    let output = workspace
        .command("sh")
        .args(["-c", &script])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (body, status) = text.trim_start_matches("\n000").rsplit_once('\n').unwrap();
    (status.parse().unwrap(), body.trim().to_owned())
}
