//! A log that contains the answer to each question of docs/reading-the-log.md, and lines that
//! nearly match.
//!
//! The two workspaces are on two nodes. jessie's workspace has two runs with a gap between them.
//! The only run of robin's workspace has no end. Two processes of jessie's node have the same
//! process id. The other node has a process with the id and start of one of them.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

/// A run with its lines so far.
struct Run {
    id: &'static str,
    labels: Value,
    line: u64,
    seq: u64,
    text: String,
}

impl Run {
    fn begin(id: &'static str, ts: &str, user: &str, workspace: &str, more: Value) -> Self {
        let mut run = Self {
            id,
            labels: json!({"username": user, "workspace_name": workspace}),
            line: 0,
            seq: 0,
            text: String::new(),
        };
        run.line(
            ts,
            "tracing_started",
            merged(
                json!({"version": "9.9.9", "discovery": true, "identity": ["network"]}),
                more,
            ),
        );
        run.line(
            ts,
            "workspace_started",
            json!({"pid_ns": 4_026_532_249_u64, "found": "state"}),
        );
        run
    }

    fn line(&mut self, ts: &str, msg: &str, fields: Value) {
        let level = if msg == "lost" { "WARN" } else { "INFO" };
        let fields = merged(
            json!({"labels": self.labels, "run": self.id, "line": self.line}),
            fields,
        );
        let line = json!({"ts": ts, "level": level, "msg": msg, "fields": fields});
        let _ = writeln!(self.text, "{line}");
        self.line += 1;
    }

    /// Adds an exec. `own` and `parent` are the ids and starts of the process and its parent.
    fn exec(&mut self, ts: &str, own: (u64, u64), parent: (u64, u64), argv: &[&str], more: Value) {
        let event = json!({
            "filename": argv[0], "argv": argv, "truncated": false, "pid": own.0, "uid": 1000,
            "gid": 1000, "comm": "bash", "argc": argv.len(), "argv_bytes": 9, "ns_pid": own.0 % 90,
            "ppid": parent.0, "ns_ppid": parent.0 % 90, "euid": 1000, "ns_uid": 1000,
            "ns_gid": 1000, "pid_ns": 4_026_532_249_u64, "workspace_pid_ns": 4_026_532_249_u64,
            "mnt_ns": 4_026_532_248_u64, "cgroup_id": 8113, "container_id": "0123456789ab",
            "nested_container_id": "cdef01234567", "start": own.1, "cpu": 1,
            "seq": self.seq, "ppid_start": parent.1, "sid": 100, "exe": argv[0],
        });
        let fields = json!({"cmdline": argv.join(" "), "event": merged(event, more)});
        self.line(ts, "exec", fields);
        self.seq += 1;
    }

    fn failed(&mut self, ts: &str, filename: &str, error: &str, seq: u64) {
        let event = json!({
            "filename": filename, "error": error, "errno": 2, "syscall": "execve", "pid": 200,
            "uid": 1000, "gid": 1000, "comm": "bash", "ns_pid": 20, "ppid": 1, "ns_ppid": 0,
            "euid": 1000, "ns_uid": 1000, "ns_gid": 1000, "pid_ns": 4_026_532_249_u64,
            "workspace_pid_ns": 4_026_532_249_u64, "mnt_ns": 1, "cgroup_id": 8113, "start": 2000,
            "cpu": 1, "seq": seq, "argv": ["make", "all"], "truncated": false,
            "argv_unprotected_from": 0,
        });
        self.line(ts, "exec_failed", json!({"event": event}));
    }
}

/// The members of `a` and `b`.
fn merged(a: Value, b: Value) -> Value {
    let (Value::Object(a), Value::Object(b)) = (a, b) else {
        panic!("not objects");
    };
    Value::Object(a.into_iter().chain(b).collect::<Map<_, _>>())
}

/// jessie's run of yesterday. It was killed, and its line 5 is missing.
fn jessie_yesterday() -> String {
    let at = |second| format!("2026-11-23T08:00:{second:02}.000000001Z");
    let start = json!({"boot_id": "boot-1", "node": "node-1"});
    let mut run = Run::begin("aaaaaaaaaaa1", &at(0), "jessie", "apache", start);
    let bash = (100, 1000);
    run.exec(&at(2), bash, (90, 900), &["/usr/bin/bash"], json!({}));
    // The argument has text that could act on a terminal, and text that SQL could take for a
    // statement.
    let note = [
        "/usr/bin/curl",
        "-H",
        "X: \u{1b}[31m\u{202e}'; DROP TABLE lines; --\ttwo\nlines",
    ];
    run.exec(
        &at(3),
        (101, 1100),
        bash,
        &note,
        json!({"parent_exe": "/usr/bin/bash"}),
    );
    run.exec(
        &at(4),
        (102, 1200),
        bash,
        &["/usr/bin/uname", "-a"],
        json!({}),
    );
    run.line += 1;
    let lost = json!({
        "count": 3, "cpu": 1, "since": at(4), "until": at(6), "total": 3, "of": "exec",
    });
    run.line(&at(6), "lost", lost);
    run.seq += 3;
    run.exec(
        &at(7),
        (104, 1400),
        bash,
        &["/usr/bin/uname", "-r"],
        json!({}),
    );
    run.text
}

/// jessie's run of today, which was stopped on request.
fn jessie_today() -> String {
    let at = |second| format!("2026-11-24T09:00:{second:02}.000000002Z");
    let previous =
        json!({"run": "aaaaaaaaaaa1", "until": "2026-11-23T08:00:07.000000001Z", "gap_ns": 5_000});
    let start = json!({"boot_id": "boot-1", "node": "node-1", "previous_run": previous});
    let mut run = Run::begin("aaaaaaaaaaa2", &at(0), "jessie", "apache", start);
    let (bash, sudo, make, cc, payload) = (
        (200, 2000),
        (201, 2100),
        (101, 2300),
        (203, 2400),
        (204, 2500),
    );
    let entered = json!({"entered": true, "ns_ppid": 0});
    run.exec(&at(2), bash, (1, 0), &["/usr/bin/bash", "-l"], entered);
    let gained = json!({"euid": 0, "cap_gained": ["CAP_SYS_ADMIN"], "parent_exe": "/usr/bin/bash"});
    run.exec(&at(3), sudo, bash, &["/usr/bin/sudo", "id"], gained);
    let root = json!({"uid": 0, "euid": 0, "gid": 0, "ns_uid": 0});
    run.exec(&at(4), (202, 2200), sudo, &["/usr/bin/id"], root);
    // Yesterday, curl had the process id 101.
    run.exec(&at(5), make, bash, &["/usr/bin/make", "all"], json!({}));
    run.exec(
        &at(6),
        cc,
        make,
        &["/usr/bin/cc", "-c", "main.c"],
        json!({}),
    );
    let memfd = json!({"filename": "/dev/fd/3", "exe": "memfd:payload", "memfd": true});
    run.exec(&at(7), payload, cc, &["payload"], memfd);
    let deleted = json!({"exe": "/tmp/gone", "deleted": true});
    run.exec(&at(8), (205, 2600), payload, &["/tmp/gone"], deleted);
    run.failed(&at(9), "/usr/local/bin/make", "ENOENT", 0);
    run.failed(&at(9), "/usr/local/bin/make", "ENOENT", 1);
    run.failed(&at(9), "/etc/shadow", "EACCES", 2);
    let long = json!({"argv_continues": true, "truncated": true});
    run.exec(
        &at(10),
        (206, 2700),
        bash,
        &["/usr/bin/echo", "begin"],
        long,
    );
    let rest = json!({
        "argv": ["ning"], "truncated": false, "pid": 206, "start": 2700, "cpu": 1, "seq": 7,
        "pid_ns": 4_026_532_249_u64, "workspace_pid_ns": 4_026_532_249_u64, "part": 1,
        "argument": 1, "offset": 5,
    });
    run.line(&at(10), "exec_argv", json!({"event": rest}));
    let end = json!({
        "pid": 203, "start": 2400, "comm": "cc", "status": 1, "signal": null, "duration_ns": 7,
        "core_dumped": false, "ns_pid": 23, "pid_ns": 4_026_532_249_u64,
        "workspace_pid_ns": 4_026_532_249_u64, "cpu": 1, "seq": 0,
    });
    run.line(&at(11), "exit", json!({"event": end}));
    let suppressed = json!({
        "count": 7, "by": "exclude", "rule": "comm=cc", "since": at(2), "until": at(11),
        "total": 7, "of": "exec",
    });
    run.line(&at(12), "suppressed", suppressed);
    let counts = json!({"execs": 8, "lost": 0, "suppressed": 7, "complete_until": at(12)});
    run.line(&at(13), "tracing_stopped", counts);
    run.text
}

/// robin's run of today, on a node whose workspaces have user namespaces. It is still running.
fn robin() -> String {
    let at = |second| format!("2026-11-24T10:00:{second:02}.000000003Z");
    let start = json!({"boot_id": "boot-2", "node": "node-2"});
    let mut run = Run::begin("bbbbbbbbbbb1", &at(0), "robin", "nginx", start);
    let user = json!({"uid": 101_000, "euid": 101_000, "gid": 101_000, "ns_uid": 1000});
    // On the other node, jessie's make has the same process id and start.
    let bash = (101, 2300);
    run.exec(&at(2), bash, (90, 900), &["/usr/bin/bash"], user.clone());
    run.exec(
        &at(3),
        (300, 5000),
        bash,
        &["/usr/bin/git", "push"],
        user.clone(),
    );
    run.exec(&at(4), (301, 5100), bash, &["/usr/bin/uname"], user.clone());
    run.exec(&at(5), (302, 5200), bash, &["/opt/not-curl"], user.clone());
    run.exec(
        &at(6),
        (303, 5300),
        bash,
        &["curl", "-T", "key"],
        merged(
            user,
            json!({
                "exe": "/home/robin/bin/curl", "filename": "./curl", "cwd": "/home/robin/bin",
            }),
        ),
    );
    let root = json!({"uid": 100_000, "euid": 100_000, "gid": 100_000, "ns_uid": 0});
    run.exec(&at(7), (304, 5400), bash, &["/usr/bin/apt", "update"], root);
    run.text
}

/// The log, as a collector writes it to a file.
pub(crate) fn log() -> String {
    [jessie_yesterday(), jessie_today(), robin()].concat()
}

/// Lines that are not part of the log, or are cut.
pub(crate) fn noise() -> String {
    let diagnostic = r#"{"ts":"2026-11-24T09:00:00Z","level":"INFO","msg":"ready","fields":{}}"#;
    let types = r#"{"ts":5,"level":[],"msg":"exec","fields":"exec"}"#;
    let whole = robin();
    let last = whole.lines().last().unwrap();
    format!(
        "{diagnostic}\n\nnot JSON \u{1b}[2J\n{types}\n[1,2]\n{}",
        &last[..last.len() / 2]
    )
}

#[test]
fn the_log_is_as_exectrail_writes_it() {
    let schema = std::fs::read_to_string(crate::machine::repository().join("docs/log.schema.json"));
    let schema: Value = serde_json::from_str(&schema.unwrap()).unwrap();
    for line in log().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        if let Err(difference) = exectrail_testbed::schema::check(&line, &schema) {
            panic!("{difference} in {line}");
        }
    }
}
