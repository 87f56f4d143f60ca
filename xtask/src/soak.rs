//! `cargo xtask soak`: a million execs at full speed while workspaces come and go.
//!
//! What ran is known from outside: each workspace is a program that executes another so many times and
//! fails if one of them does. The log is read as it is written, by this program, which looks at every
//! line, and by `exectrail verify`.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::progress::{self, Elapsed};
use crate::{build, command, workspace};

/// What `cargo xtask soak` takes.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Programs to execute, at least
    #[arg(long, default_value_t = 1_000_000)]
    execs: u64,

    /// Programs that each workspace executes, give or take a half
    #[arg(long, default_value_t = 4_000)]
    per_workspace: u64,

    /// Workspaces at once; 0 stands for one a CPU
    #[arg(long, default_value_t = 0)]
    at_once: usize,
}

/// Memory is flat if it ends no more than this above what it was once warm.
const FLAT: u64 = 1 << 20;
/// How often progress is said, and memory measured.
const EVERY: Duration = Duration::from_secs(5);

/// `cargo xtask soak`.
pub(crate) fn command(args: &Args) -> Result<()> {
    ensure!(
        rustix::process::geteuid().is_root(),
        "the soak makes namespaces and loads eBPF programs, which only root may: run it with sudo"
    );
    let exectrail = build::release()?.exectrail;
    let dir = tempfile::tempdir().context("cannot make a directory for the soak")?;
    let (tool, noop) = (compile(dir.path(), "tool")?, compile(dir.path(), "noop")?);
    let mut pod = Pod::new(&exectrail)?;
    let verify = Verify::new(&exectrail)?;
    let at_once = match args.at_once {
        0 => thread::available_parallelism().map_or(1, usize::from),
        number => number,
    };
    progress::note(format_args!(
        "{} execs by {at_once} workspaces at once",
        args.execs
    ));

    let network = pod.network.id();
    let since = Instant::now();
    let ran = Ran::default();
    let seen = Seen::default();
    let stdout = pod.stdout.take().context("exectrail has no output")?;
    let memory = thread::scope(|scope| -> Result<Vec<Memory>> {
        let reader = scope.spawn(|| seen.read(stdout, verify, &noop));
        let workers: Vec<_> = (0..at_once)
            .map(|worker| {
                let (ran, tool, noop) = (&ran, &tool, &noop);
                scope.spawn(move || ran.work(args, worker as u64, network, tool, noop))
            })
            .collect();
        let memory = watch(&pod, &ran, &seen, args.execs, || {
            workers.iter().all(thread::ScopedJoinHandle::is_finished)
        });
        let worked = workers
            .into_iter()
            .try_for_each(|worker| worker.join().map_err(panicked)?);
        // Its end is also that of its log, hence of the reader.
        let stopped = pod.stop();
        reader.join().map_err(panicked)??;
        worked?;
        stopped?;
        memory
    })?;

    let told = seen
        .told
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    let ran_execs = ran.execs.load(Relaxed);
    let unaccounted = ran_execs.abs_diff(told.execs + told.lost);
    let (warm, end) = flatness(&memory)?;
    println!(
        "{ran_execs} execs in {} ({}/s) in {} workspaces: {} lines, {} lost and told, {unaccounted} unaccounted, \
         {} wrong; resident memory without the ring {} KiB once warm, {} KiB in the end; `exectrail verify`: {}",
        Elapsed(since.elapsed()),
        ran_execs / since.elapsed().as_secs().max(1),
        ran.workspaces.load(Relaxed),
        told.execs,
        told.lost,
        told.wrong.len(),
        warm >> 10,
        end >> 10,
        told.verified,
    );
    for wrong in told.wrong.iter().take(10) {
        progress::warning(wrong);
    }
    ensure!(told.wrong.is_empty(), "lines were wrong");
    ensure!(unaccounted == 0, "execs are unaccounted for");
    ensure!(told.stopped, "the log has no last line");
    ensure!(
        told.verified.starts_with("exit status: 0"),
        "exectrail verify found faults"
    );
    ensure!(
        told.begun == ran.workspaces.load(Relaxed) && told.ended == told.begun,
        "of {} workspaces {} began and {} ended in the log",
        ran.workspaces.load(Relaxed),
        told.begun,
        told.ended
    );
    ensure!(end <= warm + FLAT, "memory is not flat");
    Ok(())
}

fn panicked(_: Box<dyn std::any::Any + Send>) -> anyhow::Error {
    anyhow::anyhow!("a thread of the soak panicked")
}

/// One of the tests' programs.
fn compile(dir: &Path, name: &str) -> Result<PathBuf> {
    let program = dir.join(name);
    let source = workspace::root().join(format!("runtime/tests/as_root/{name}.c"));
    command::run(
        command::new("cc")
            .args(["-O1", "-static", "-o"])
            .args([&program, &source]),
    )?;
    Ok(program)
}

/// A network namespace, and exectrail in a PID namespace beside those of the workspaces.
struct Pod {
    network: Child,
    sidecar: Child,
    pid: u32,
    stdout: Option<ChildStdout>,
}

impl Pod {
    fn new(exectrail: &Path) -> Result<Self> {
        let mut network = command::new("unshare")
            .args(["--net", "--", "sh", "-c"])
            .arg("ip link set lo up && echo up && exec sleep infinity")
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start unshare, of util-linux")?;
        let mut up = [0; 3];
        let output = network.stdout.as_mut().context("unshare has no output")?;
        output
            .read_exact(&mut up)
            .context("cannot make a network namespace (unshare, ip)")?;
        let mut sidecar = container(network.id(), exectrail)
            .arg("--init-address=127.0.0.1:56123")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start exectrail")?;
        let stdout = sidecar.stdout.take();
        let stderr = sidecar.stderr.take().context("exectrail has no stderr")?;
        let mut pod = Self {
            network,
            sidecar,
            pid: 0,
            stdout,
        };
        let mut diagnostics = BufReader::new(stderr).lines();
        loop {
            let Some(line) = diagnostics.next() else {
                bail!("exectrail ended before tracing was on");
            };
            if line
                .context("cannot read exectrail's diagnostics")?
                .contains("tracing is on")
            {
                break;
            }
        }
        // Nobody is to wait for room in a pipe that nobody reads.
        thread::spawn(move || diagnostics.map_while(Result::ok).for_each(drop));
        pod.pid = child_of(pod.sidecar.id())?;
        Ok(pod)
    }

    /// Memory of the process that is its own: the ring is not, which it only maps.
    fn memory(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid))
            .context("exectrail has ended before its time")?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("RssAnon:"))
            .context("no RssAnon")?;
        let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib << 10)
    }

    fn stop(&mut self) -> Result<()> {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        kill_process(pid.context("no process id")?, Signal::TERM).context("cannot send SIGTERM")?;
        let status = self.sidecar.wait().context("cannot wait for exectrail")?;
        ensure!(status.success(), "exectrail ended with {status}");
        Ok(())
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        for child in [&mut self.sidecar, &mut self.network] {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A command that will be the first process of a container in this network namespace.
fn container(network: u32, program: &Path) -> Command {
    let mut command = command::new("nsenter");
    command
        .arg(format!("--net=/proc/{network}/ns/net"))
        .args([
            "--",
            "unshare",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
            "--",
        ])
        .arg(program);
    command
}

fn child_of(pid: u32) -> Result<u32> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))
        .context("cannot tell exectrail's process id")?;
    let first = children.split_whitespace().next();
    Ok(first.context("exectrail has ended")?.parse()?)
}

/// What was executed.
#[derive(Default)]
struct Ran {
    execs: AtomicU64,
    workspaces: AtomicU64,
    failed: AtomicBool,
}

impl Ran {
    /// Runs workspaces, one after the other, until enough has been executed.
    fn work(&self, args: &Args, seed: u64, network: u32, tool: &Path, noop: &Path) -> Result<()> {
        let mut random = seed + 1;
        while self.execs.load(Relaxed) < args.execs && !self.failed.load(Relaxed) {
            // Numerical Recipes' generator: nobody needs better.
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let count = args.per_workspace / 2 + (random >> 33) % args.per_workspace.max(1);
            let status = container(network, tool)
                .arg("burst")
                .arg(noop)
                .arg(count.to_string())
                .status()
                .context("cannot start a workspace")?;
            if !status.success() {
                self.failed.store(true, Relaxed);
                bail!("a workspace ended with {status}");
            }
            // The workspace's first process is an exec as well.
            self.execs.fetch_add(count + 1, Relaxed);
            self.workspaces.fetch_add(1, Relaxed);
        }
        Ok(())
    }
}

/// `exectrail verify`, fed with the log.
struct Verify {
    child: Child,
    input: ChildStdin,
}

impl Verify {
    fn new(exectrail: &Path) -> Result<Self> {
        let mut child = command::new(exectrail)
            .args(["verify", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start exectrail verify")?;
        let input = child.stdin.take().context("it has no input")?;
        Ok(Self { child, input })
    }

    fn finish(self) -> Result<String> {
        drop(self.input);
        let output = self.child.wait_with_output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(format!(
            "{}, {}",
            output.status,
            text.trim().replace('\n', ";")
        ))
    }
}

/// What the log says.
#[derive(Default)]
struct Told {
    execs: u64,
    lost: u64,
    begun: u64,
    ended: u64,
    stopped: bool,
    wrong: Vec<String>,
    verified: String,
    /// By the workspace's PID namespace: the number that its next exec should have, or a higher one
    /// where there are losses.
    next: BTreeMap<u64, u64>,
}

#[derive(Default)]
struct Seen {
    told: Mutex<Told>,
}

impl Seen {
    fn read(&self, log: ChildStdout, mut verify: Verify, noop: &Path) -> Result<()> {
        let noop = noop.to_string_lossy();
        for line in BufReader::with_capacity(1 << 20, log).split(b'\n') {
            let mut line = line.context("cannot read the log")?;
            self.with(|told| {
                if let Err(error) = told.hear(&line, &noop) {
                    told.wrong
                        .push(format!("{error:#}: {}", String::from_utf8_lossy(&line)));
                }
            });
            line.push(b'\n');
            verify
                .input
                .write_all(&line)
                .context("cannot feed exectrail verify")?;
        }
        let verified = verify.finish()?;
        self.with(|told| told.verified = verified);
        Ok(())
    }

    fn with<T>(&self, look: impl FnOnce(&mut Told) -> T) -> T {
        look(&mut self.told.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Told {
    fn hear(&mut self, line: &[u8], noop: &str) -> Result<()> {
        let line: Value = serde_json::from_slice(line).context("not JSON")?;
        let fields = &line["fields"];
        match line["msg"].as_str().context("no msg")? {
            "exec" => self.exec(&fields["event"], noop)?,
            "lost" if fields["of"] == "exec" => {
                self.lost += fields["count"].as_u64().context("no count")?;
            }
            "workspace_started" => self.begun += 1,
            "workspace_ended" => self.ended += 1,
            "tracing_stopped" => {
                self.stopped = true;
                ensure!(
                    fields["execs"] == self.execs && fields["lost"] == self.lost,
                    "wrong totals"
                );
            }
            "tracing_started" => {}
            other => bail!("unexpected {other}"),
        }
        Ok(())
    }

    fn exec(&mut self, event: &Value, noop: &str) -> Result<()> {
        self.execs += 1;
        let workspace = event["workspace_pid_ns"].as_u64().context("no workspace")?;
        ensure!(event["pid_ns"] == workspace, "another namespace");
        ensure!(event["truncated"] == false, "truncated");
        if event["ns_pid"] == 1 {
            ensure!(event["argv"][1] == "burst", "not a burst");
            self.next.insert(workspace, 0);
            return Ok(());
        }
        ensure!(
            event["filename"] == noop && event["comm"] == "tool",
            "not what ran"
        );
        ensure!(
            event["argv"][0] == "noop" && event["argc"] == 2,
            "another argv"
        );
        let number: u64 = event["argv"][1].as_str().context("no number")?.parse()?;
        let next = self.next.get_mut(&workspace).context("of no workspace")?;
        ensure!(number >= *next, "{number} where {next} was due");
        ensure!(
            number == *next || self.lost > 0,
            "{number} where {next} was due, and no loss"
        );
        *next = number + 1;
        Ok(())
    }
}

/// Memory at a time.
struct Memory {
    bytes: u64,
}

/// Says how far it is until all is done.
fn watch(
    pod: &Pod,
    ran: &Ran,
    seen: &Seen,
    total: u64,
    done: impl Fn() -> bool,
) -> Result<Vec<Memory>> {
    let mut memory = Vec::new();
    let mut said = Instant::now();
    while !done() {
        thread::sleep(Duration::from_millis(100));
        if said.elapsed() < EVERY {
            continue;
        }
        said = Instant::now();
        let bytes = pod.memory()?;
        memory.push(Memory { bytes });
        let (lines, lost, wrong) = seen.with(|told| (told.execs, told.lost, told.wrong.len()));
        progress::note(format_args!(
            "{lines} of {total} execs, {lost} lost, {wrong} wrong; {} workspaces came and went; {} KiB resident",
            ran.workspaces.load(Relaxed),
            bytes >> 10,
        ));
    }
    Ok(memory)
}

/// The most memory in the second quarter of the time, when all is warm, and in the last.
fn flatness(memory: &[Memory]) -> Result<(u64, u64)> {
    let quarter = memory.len() / 4;
    ensure!(
        quarter > 0,
        "too short to tell whether memory is flat: take more --execs"
    );
    let most = |part: &[Memory]| part.iter().map(|memory| memory.bytes).max().unwrap_or(0);
    Ok((
        most(&memory[quarter..2 * quarter]),
        most(&memory[3 * quarter..]),
    ))
}
