//! Invented logs of any size, with which readers of logs are measured and tested.
//!
//! The same [`Options`] give the same bytes. The lines have some of the keys of `--fields default`,
//! and `exectrail verify` accepts each run. The lines of the workspaces are mixed, as in a
//! collector's file.

use std::fmt::Write as _;
use std::io::{self, Write};

use exectrail_proof::{Chain, Head};

/// What to generate.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Number of execs in all workspaces together, without lost ones.
    pub execs: u64,
    /// Number of workspaces.
    pub workspaces: u32,
    /// Another seed gives another log.
    pub seed: u64,
    /// Whether some execs are lost, with a `lost` line.
    pub losses: bool,
}

/// Number of execs after which a checkpoint follows.
const CHECKPOINT: u64 = 1_000;
/// Number of execs after which some are lost.
const LOSS: u64 = 400;
/// Maximum number of living processes of a workspace.
const LIVING: usize = 64;

/// Programs and their arguments; `#` stands for a number.
const PROGRAMS: [(&str, &[&str]); 8] = [
    ("/usr/bin/bash", &["bash", "-c", "make -C build/# all"]),
    (
        "/usr/bin/cc",
        &[
            "cc",
            "-O2",
            "-c",
            "src/module_#.c",
            "-o",
            "build/module_#.o",
        ],
    ),
    (
        "/usr/libexec/gcc/cc1",
        &["/usr/libexec/gcc/cc1", "-quiet", "src/module_#.c"],
    ),
    ("/usr/bin/git", &["git", "rev-parse", "--verify", "HEAD~#"]),
    (
        "/usr/bin/node",
        &[
            "node",
            "/workspace/node_modules/.bin/tsc",
            "--project",
            "p#",
        ],
    ),
    (
        "/usr/bin/sed",
        &["sed", "-e", "s/a/b #/", "file with blanks"],
    ),
    (
        "/usr/bin/python3",
        &["python3", "-m", "pytest", "tests/test_#.py"],
    ),
    ("/usr/bin/uname", &["uname", "-a"]),
];

/// Random numbers: splitmix64 (Steele, Lea and Flood, 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }
}

#[derive(Clone, Copy)]
struct Process {
    pid: u64,
    start: u64,
    program: usize,
}

/// One workspace, and the run that records it.
struct Workspace {
    number: u32,
    run: String,
    line: u64,
    chain: Chain,
    seq: u64,
    execs: u64,
    lost: u64,
    living: Vec<Process>,
    text: String,
}

/// Writes a log.
///
/// # Errors
/// If the output cannot be written.
pub fn generate(options: Options, out: &mut impl Write) -> io::Result<()> {
    let mut random = Random(options.seed);
    let mut clock = Clock { nanoseconds: 0 };
    let step = 86_000_000_000_000 / options.execs.max(1);
    let mut workspaces: Vec<Workspace> = (0..options.workspaces.max(1))
        .map(|number| Workspace::new(number, &mut random))
        .collect();
    let mut next_pid = 1_000;
    for workspace in &mut workspaces {
        workspace.begin(&clock, &mut next_pid, out)?;
    }
    for _ in 0..options.execs {
        clock.nanoseconds += 1 + random.below(2 * step.max(1));
        let at = random.below(workspaces.len() as u64) as usize;
        let workspace = &mut workspaces[at];
        workspace.exec(&clock, &mut random, &mut next_pid, out)?;
        if options.losses && workspace.execs.is_multiple_of(LOSS) {
            workspace.lose(&clock, &mut random, out)?;
        }
        if workspace.execs.is_multiple_of(CHECKPOINT) {
            workspace.checkpoint(&clock, "checkpoint", out)?;
        }
    }
    for workspace in &mut workspaces {
        workspace.checkpoint(&clock, "tracing_stopped", out)?;
    }
    Ok(())
}

struct Clock {
    /// Since the beginning of the day.
    nanoseconds: u64,
}

impl Clock {
    /// Appends the time in the form that lines have.
    fn push(&self, text: &mut String) {
        let (seconds, nanoseconds) = (self.nanoseconds / 1_000_000_000, self.nanoseconds);
        let (days, of_day) = (seconds / 86_400, seconds % 86_400);
        // The steps may sum up to more than a day.
        let day = 24 + days.min(6);
        let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
        let fraction = nanoseconds % 1_000_000_000;
        let _ = write!(
            text,
            "2026-11-{day}T{hour:02}:{minute:02}:{second:02}.{fraction:09}Z"
        );
    }
}

impl Workspace {
    fn new(number: u32, random: &mut Random) -> Self {
        Self {
            number,
            run: format!("{:012x}", random.next() >> 16),
            line: 0,
            chain: Chain::new(Head::default()),
            seq: 0,
            execs: 0,
            lost: 0,
            living: Vec::new(),
            text: String::new(),
        }
    }

    /// Begins a line, up to its labels.
    fn begin_line(&mut self, clock: &Clock, level: &str, msg: &str) {
        self.text.clear();
        self.text.push_str("{\"ts\":\"");
        clock.push(&mut self.text);
        let number = self.number;
        let _ = write!(
            self.text,
            "\",\"level\":\"{level}\",\"msg\":\"{msg}\",\"fields\":{{\"labels\":{{\"username\":\
             \"user-{number}\",\"workspace_name\":\"workspace-{number}\"}},"
        );
    }

    fn end_line(&mut self, out: &mut impl Write) -> io::Result<()> {
        let _ = write!(
            self.text,
            "\"run\":\"{}\",\"line\":{}}}}}",
            self.run, self.line
        );
        self.text.push('\n');
        self.line += 1;
        self.chain.update(self.text.as_bytes());
        out.write_all(self.text.as_bytes())
    }

    fn begin(&mut self, clock: &Clock, pid: &mut u64, out: &mut impl Write) -> io::Result<()> {
        self.begin_line(clock, "INFO", "tracing_started");
        let _ = write!(self.text, "\"version\":\"9.9.9\",\"boot_id\":\"b\",");
        self.end_line(out)?;
        self.begin_line(clock, "INFO", "workspace_started");
        let namespace = 4_026_532_000 + u64::from(self.number);
        let _ = write!(
            self.text,
            "\"pid_ns\":{namespace},\"found\":\"announcement\",\"untraced_ns\":0,"
        );
        self.living.push(Process {
            pid: *pid,
            start: *pid,
            program: 0,
        });
        *pid += 1;
        self.end_line(out)
    }

    fn exec(
        &mut self,
        clock: &Clock,
        random: &mut Random,
        next_pid: &mut u64,
        out: &mut impl Write,
    ) -> io::Result<()> {
        // Only the eight youngest processes start others.
        let back = random.below(8).min(self.living.len() as u64 - 1) as usize;
        let parent = self.living[self.living.len() - 1 - back];
        let program = random.below(PROGRAMS.len() as u64) as usize;
        let child = Process {
            pid: *next_pid,
            start: 10_000_000_000 + clock.nanoseconds,
            program,
        };
        *next_pid += 1 + random.below(3);
        let (exe, words) = PROGRAMS[program];
        let argument = random.below(10_000).to_string();
        let words: Vec<String> = words
            .iter()
            .map(|word| word.replace('#', &argument))
            .collect();
        let quoted: Vec<String> = words
            .iter()
            .map(|word| match word.contains(' ') {
                true => format!("'{word}'"),
                false => word.clone(),
            })
            .collect();
        let bytes: usize = words.iter().map(|word| word.len() + 1).sum();
        let namespace = 4_026_532_000 + u64::from(self.number);
        let (parent_exe, _) = PROGRAMS[parent.program];
        let comm = parent_exe.rsplit('/').next().unwrap_or_default();
        let first = self.living[0].pid;
        self.begin_line(clock, "INFO", "exec");
        let _ = write!(
            self.text,
            "\"cmdline\":\"{}\",\"event\":{{\"filename\":\"{exe}\",\"argv\":[\"{}\"],\
             \"truncated\":false,\"pid\":{},\"uid\":101000,\"gid\":101000,\"comm\":\"{comm}\",\
             \"argc\":{},\"argv_bytes\":{bytes},\"ns_pid\":{},\"ppid\":{},\"ns_ppid\":{},\
             \"euid\":101000,\"ns_uid\":1000,\"ns_gid\":1000,\"pid_ns\":{namespace},\
             \"workspace_pid_ns\":{namespace},\"mnt_ns\":4026532248,\"cgroup_id\":8113,\
             \"start\":{},\"cpu\":0,\"seq\":{},\"ppid_start\":{},\"sid\":{first},\
             \"exe\":\"{exe}\",\"tty\":\"pts/0\",\"parent_exe\":\"{parent_exe}\"}},",
            quoted.join(" "),
            words.join("\",\""),
            child.pid,
            words.len(),
            child.pid % 30_000,
            parent.pid,
            parent.pid % 30_000,
            child.start,
            self.seq,
            parent.start,
        );
        self.end_line(out)?;
        self.seq += 1;
        self.execs += 1;
        self.living.push(child);
        if self.living.len() > LIVING {
            // The first process lives as long as the workspace.
            self.living.remove(1);
        }
        Ok(())
    }

    fn lose(&mut self, clock: &Clock, random: &mut Random, out: &mut impl Write) -> io::Result<()> {
        let count = 1 + random.below(20);
        self.lost += count;
        self.seq += count;
        let total = self.lost;
        let mut time = String::new();
        clock.push(&mut time);
        self.begin_line(clock, "WARN", "lost");
        let _ = write!(
            self.text,
            "\"count\":{count},\"cpu\":0,\"since\":\"{time}\",\"until\":\"{time}\",\
             \"total\":{total},\"of\":\"exec\","
        );
        self.end_line(out)
    }

    fn checkpoint(&mut self, clock: &Clock, msg: &str, out: &mut impl Write) -> io::Result<()> {
        let head = self.chain.next_head();
        let (execs, lost) = (self.execs, self.lost);
        let mut time = String::new();
        clock.push(&mut time);
        self.begin_line(clock, "INFO", msg);
        let _ = write!(
            self.text,
            "\"execs\":{execs},\"lost\":{lost},\"suppressed\":0,\"places\":{{\"0\":[{execs}]}},\
             \"complete_until\":\"{time}\",\"head\":\"{head}\","
        );
        self.end_line(out)
    }
}
