//! If the probes' table of targets is full, events are lost, and the stream shows how many. A full
//! table of evidence loses nothing.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::{
    pod::{Pod, argvs, execs, messages, wait_for},
    tools::{EXECTRAIL, NAMESPACES, NOOP, needs_kernel},
};

/// More namespaces than the table holds (`MAX_TARGETS`).
const COUNT: usize = 1_100;
const ROOM: usize = 1_024;

/// [`COUNT`] PID namespaces of the pod, each with an exec.
struct Others(Child);

impl Others {
    fn start(pod: &Pod) -> Self {
        let mut child = pod
            .command(&*NAMESPACES)
            .arg(COUNT.to_string())
            .arg(&*NOOP)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut done = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut done)
            .unwrap();
        assert_eq!(done, "done\n");
        Self(child)
    }

    fn end(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Number of losses because the table of targets is full.
fn lost(lines: &[Value], of: &str) -> u64 {
    messages(lines, "lost")
        .iter()
        .filter(|line| line["fields"]["table"] == "targets" && line["fields"]["of"] == of)
        .map(|line| line["fields"]["count"].as_u64().unwrap())
        .sum()
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn execs_of_namespaces_without_room_are_lost_and_counted() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&["--exit-events", "--metrics-address=127.0.0.1:9100"]);
    let mut others = Others::start(&pod);
    wait_for("the lost execs to be reported", || {
        (lost(&sidecar.lines(), "exec") as usize >= COUNT - ROOM).then_some(())
    });
    let metrics = pod
        .command("curl")
        .args(["--silent", "http://127.0.0.1:9100/metrics"])
        .output()
        .unwrap();
    let metrics = String::from_utf8(metrics.stdout).unwrap();
    others.end();
    // Losses of execs and of exits together have one line in the diagnostics.
    let said = sidecar.diagnostics();
    assert_eq!(said.matches("a table of the probes is full").count(), 1);
    let lines = sidecar.stop();
    let kept = execs(&lines)
        .iter()
        .filter(|event| event["argv"][0] == "noop")
        .count();
    assert_eq!(kept + lost(&lines, "exec") as usize, COUNT);
    assert_eq!(kept, ROOM);
    assert!(lost(&lines, "exit") as usize >= COUNT - ROOM);
    let stopped = &lines.last().unwrap()["fields"];
    assert_eq!(stopped["lost"].as_u64().unwrap() as usize, COUNT - ROOM);
    assert!(
        metrics.contains("table=\"targets\""),
        "no metric names the table: {metrics}"
    );
}

/// Programs run in more namespaces than exectrail keeps evidence of, and then a workspace with
/// older evidence is announced.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn forgotten_evidence_is_seen_again() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&["--announced-only"]);
    let workspace = pod.workspace();
    workspace.run("uname", &["-n"]);
    let mut others = Others::start(&pod);
    let status = workspace
        .command(EXECTRAIL)
        .args(["announce", "--init-address=127.0.0.1:56123"])
        .status()
        .unwrap();
    assert!(status.success());
    workspace.run("uname", &["-a"]);
    others.end();
    let lines = sidecar.stop();
    assert_eq!(argvs(&lines), [["uname", "-a"]]);
    assert!(messages(&lines, "lost").is_empty(), "{lines:#?}");
}

/// `exectrail verify` finds no fault with a log whose losses come from a full table of targets.
#[test]
fn verify_accounts_for_a_full_table() {
    let line = |msg: &str, fields: &str| {
        format!(
            "{{\"ts\":\"2026-11-25T00:00:00.000000000Z\",\"level\":\"INFO\",\"msg\":\"{msg}\",\
             \"fields\":{{\"labels\":{{}},{fields}}}}}\n"
        )
    };
    let log = [
        line("tracing_started", "\"version\":\"0\""),
        line(
            "lost",
            "\"count\":3,\"cpu\":65535,\"table\":\"targets\",\"since\":\"a\",\"until\":\"b\",\
             \"total\":3,\"of\":\"exec\"",
        ),
        line("tracing_stopped", "\"execs\":0,\"lost\":3,\"suppressed\":0"),
    ]
    .concat();
    let dir = tempfile::TempDir::new().unwrap();
    let path = dir.path().join("log");
    std::fs::write(&path, log).unwrap();
    let output = Command::new(EXECTRAIL)
        .arg("verify")
        .arg(&path)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && said.contains("3 lost"), "{said}");
}
