//! The cost of an event in exectrail itself, in figures that do not depend on the machine's load.
//! These are heap allocations, and instructions as counted by callgrind.
//!
//! The instructions are those of the test build, in which most dependencies are not optimized. A
//! release build needs fewer. The test ensures that the number of instructions does not grow
//! unnoticed.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    collections::BTreeMap,
    hint::black_box,
    io::Write as _,
    process::Command,
    time::Instant,
};

use bytemuck::bytes_of;
use exectrail::internals::{Labels, OutputFormat, RedactMode, Redactor, Stream, Writer};
use exectrail_common::record::{
    Exec, Exit, KIND_EXEC, KIND_EXIT, Origin, PATH_READ, Prefix, Subject,
};

/// The system's allocator, counting the calling thread's allocations.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // `try_with` does not panic if a thread that is ending has no counter any more.
    let _ = ALLOCATIONS.try_with(|allocations| allocations.set(allocations.get() + 1));
}

#[expect(unsafe_code, reason = "counts allocations")]
// SAFETY: passes all calls to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's guarantee is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's guarantee is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's guarantee is passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Events of a typical build: a compiler's command line of about 150 bytes, started by a shell.
struct Build {
    stream: Stream,
    lines: Vec<u8>,
    seq: u64,
}

const FILENAME: &[u8] = b"/usr/lib/gcc/x86_64-linux-gnu/12/cc1";
/// The names of the path, from its end to its beginning.
const EXE: &[u8] = b"cc1\0\x31\x32\0x86_64-linux-gnu\0gcc\0lib\0usr\0";
const ARGV: &[u8] =
    b"/usr/lib/gcc/x86_64-linux-gnu/12/cc1\0-quiet\0-imultiarch\0x86_64-linux-gnu\0\
    -D\0NAME=\"apache httpd\"\0src/server/core_filters.c\0-O2\0-o\0/tmp/ccR7vQ2k.s\0";

impl Build {
    fn new() -> Self {
        Self::redacting(RedactMode::Off)
    }

    fn redacting(mode: RedactMode) -> Self {
        let labels: BTreeMap<String, String> = [
            ("workspace_name", "apache"),
            ("username", "jessie"),
            ("workspace_id", "0668f4d8-3c5a-4b0a-9d1c-7b5b5f0f0b1a"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
        let writer = Writer::new(OutputFormat::Json, Labels::new(&labels).unwrap())
            .redacting(Redactor::new(mode).unwrap());
        Self {
            stream: Stream::new(writer),
            lines: Vec::new(),
            seq: 0,
        }
    }

    fn prefix(&self, kind: u8, filename_len: usize) -> Prefix {
        Prefix {
            kind,
            filename_len: filename_len as u16,
            seq: self.seq,
            ..Prefix::default()
        }
    }

    /// The life of one process: an exec and an exit.
    fn process(&mut self) {
        let ktime = 86_400_000_000_000 + self.seq * 1_234_567;
        let exec = Exec {
            prefix: self.prefix(KIND_EXEC, FILENAME.len()),
            subject: Subject {
                ktime,
                start: ktime - 300_000,
                ppid_start: ktime - 9_000_000,
                cgroup_id: 5_431,
                tgid: 920_684,
                ns_tgid: 4_711,
                ppid: 920_600,
                ns_ppid: 4_650,
                uid: 101_000,
                gid: 101_000,
                euid: 101_000,
                egid: 101_000,
                sid: 920_600,
                ns_uid: 1_000,
                ns_gid: 1_000,
                pid_ns: 4_026_532_345,
                mnt_ns: 4_026_532_344,
                target: 4_026_532_345,
            },
            argc: 10,
            argv_len: ARGV.len() as u32,
            argv_early: ARGV.len() as u32,
            argv_head: ARGV.len() as u32,
            origin: Origin {
                execs: 12,
                parent_execs: 11,
                exe_len: EXE.len() as u16,
                exe_flags: PATH_READ,
                ..Origin::default()
            },
            comm: *b"sh\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        };
        let mut record = [0; size_of::<Exec>() + EXE.len() + FILENAME.len() + ARGV.len()];
        let mut rest = record.as_mut_slice();
        for part in [bytes_of(&exec), EXE, FILENAME, ARGV] {
            rest.write_all(part).unwrap();
        }
        let exit = Exit {
            prefix: self.prefix(KIND_EXIT, 0),
            ktime: ktime + 2_000_000,
            start: exec.subject.start,
            tgid: exec.subject.tgid,
            ns_tgid: exec.subject.ns_tgid,
            pid_ns: exec.subject.pid_ns,
            target: exec.subject.target,
            comm: *b"cc1\0\0\0\0\0\0\0\0\0\0\0\0\0",
            ..Exit::default()
        };
        for record in [&record[..], bytes_of(&exit)] {
            self.stream
                .record(black_box(record), &mut self.lines)
                .unwrap();
        }
        self.seq += 1;
    }

    /// Processes a batch and clears its lines, as the emitter does after writing them.
    fn batch(&mut self, processes: u64) -> usize {
        for _ in 0..processes {
            self.process();
        }
        let bytes = black_box(&self.lines).len();
        self.lines.clear();
        bytes
    }
}

/// Each exec allocates at most once: the last exec of a process is kept for its children's lines.
#[track_caller]
fn assert_once(before: u64) {
    let allocated = ALLOCATIONS.get() - before;
    assert!(
        allocated <= 1_000,
        "{allocated} allocations for 1,000 execs"
    );
}

#[test]
fn an_event_allocates_once_at_most() {
    let mut build = Build::new();
    // The first batch makes the buffers grow to their final size.
    assert!(build.batch(1_000) > 1_000 * 500);
    let before = ALLOCATIONS.get();
    build.batch(1_000);
    assert_once(before);
}

#[test]
fn an_event_without_a_secret_allocates_no_more_with_redaction() {
    let mut build = Build::redacting(RedactMode::Known);
    assert!(build.batch(1_000) > 1_000 * 500);
    let before = ALLOCATIONS.get();
    build.batch(1_000);
    assert_once(before);
}

/// A measurement, not a test: the modes take turns, and the median of each is printed.
#[test]
#[ignore = "a measurement: cargo test --release --test cost_per_event -- --ignored --nocapture"]
fn redaction_side_by_side() {
    const BATCH: u64 = 2_000;
    let modes = [RedactMode::Off, RedactMode::Known, RedactMode::Values];
    let mut builds = modes.map(|mode| (mode, Build::redacting(mode), Vec::new()));
    for _ in 0..201 {
        for (_, build, samples) in &mut builds {
            let start = Instant::now();
            build.batch(BATCH);
            samples.push(start.elapsed().as_nanos() as u64 / BATCH);
        }
    }
    for (mode, _, samples) in &mut builds {
        samples.sort_unstable();
        println!(
            "{mode:?}: {} ns for an exec and an exit",
            samples[samples.len() / 2]
        );
    }
}

/// Environment variable of a test that runs under callgrind: the number of processes.
const PROCESSES: &str = "EXECTRAIL_TEST_PROCESSES";

/// Maximum number of instructions for one exec and one exit together, in the test build.
const BUDGET: u64 = 145_000;

/// Runs the calling test under callgrind with this many processes; returns the number of
/// instructions.
fn instructions(processes: u64) -> u64 {
    let name = std::thread::current().name().unwrap().to_owned();
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &name])
        .env(PROCESSES, processes.to_string())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    let collected = said
        .lines()
        .find_map(|line| line.split_once("Collected : "))
        .unwrap_or_else(|| panic!("callgrind printed no number of instructions: {said}"));
    collected.1.trim().parse().unwrap()
}

#[test]
fn an_event_takes_no_more_instructions_than_it_did() {
    if let Ok(processes) = std::env::var(PROCESSES) {
        let mut build = Build::new();
        build.batch(200);
        build.batch(processes.parse().unwrap());
        return;
    }
    // Both runs include the cost that does not depend on events.
    let [few, many] = [1_000, 3_000].map(instructions);
    let each = (many - few) / 2_000;
    println!("an exec and an exit: {each} instructions");
    assert!(each <= BUDGET, "{each} instructions, more than {BUDGET}");
}
