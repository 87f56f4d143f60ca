//! Tests that the end of a workspace is the end of its PID namespace in the kernel. This end can be
//! long after the workspace's first process was killed.

use std::{
    fs,
    io::Read as _,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use exectrail_testbed::{
    log::{argv, execs, msg},
    process::innermost,
};
use exectrail_vm_tests::Plan;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::{
    machine::{
        hold,
        pod::Pod,
        runtime::SELF,
        sidecar::Sidecar,
        slow_exit::{self, Occupant},
    },
    report::Report,
    tests::{Test, tests},
};

/// The tests of this group.
pub(crate) const TESTS: &[Test] = tests![
    a_workspace_with_somebody_left_has_not_ended,
    a_workspace_whose_first_process_takes_long_to_exit_is_recorded_to_its_last_exec,
];

/// Time during which no line may report an end that has not happened.
const NO_END_FOR: Duration = Duration::from_secs(4);

/// How long the test prolongs the exit of a first process.
const EXITING_FOR: Duration = Duration::from_secs(12);

/// A process that is killed when dropped, even if a test fails.
struct Guarded(Child);

impl Drop for Guarded {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Guarded {
    fn id(&self) -> Result<Pid> {
        pid(self.0.id())
    }
}

fn pid(id: u32) -> Result<Pid> {
    Pid::from_raw(i32::try_from(id)?).context("no process id")
}

/// Starts a debugger, outside the container, that does not wait for the process that it traces.
/// While a process is traced, only its tracer can reap it.
fn debugger_of(id: u32) -> Result<Guarded> {
    let child = Command::new(SELF)
        .args([hold::COMMAND, &id.to_string()])
        .stdout(Stdio::piped())
        .spawn()?;
    let mut debugger = Guarded(child);
    let mut output = debugger.0.stdout.take().context("no standard output")?;
    output
        .read_exact(&mut [0])
        .context("the debugger did not attach")?;
    Ok(debugger)
}

/// Starts a process, outside the container, that enters the namespace of the process `init`.
/// Returns its parent, which is stopped and therefore does not reap the process.
fn stopped_parent_of_a_process_in(init: u32, sidecar: &Sidecar) -> Result<Guarded> {
    let child = Command::new("/bin/busybox")
        .args(["nsenter", "-t", &init.to_string(), "-p", "-n", "--"])
        .args(["/bin/sleep", "1000"])
        .spawn()
        .context("cannot enter the namespace")?;
    let parent = Guarded(child);
    sidecar.wait_for_exec("1000")?;
    kill_process(parent.id()?, Signal::STOP)?;
    // Until the parent has stopped, it could still reap the process.
    let stat = format!("/proc/{}/stat", parent.id()?);
    while !fs::read_to_string(&stat)?.contains(") T ") {
        thread::sleep(Duration::from_millis(10));
    }
    Ok(parent)
}

/// Numbers of the namespaces whose end has a line.
fn ended(sidecar: &Sidecar) -> Vec<Value> {
    let lines = sidecar.events.all();
    let ends = lines.iter().filter(|line| msg(line) == "workspace_ended");
    ends.map(|line| line["fields"]["pid_ns"].clone()).collect()
}

fn wait_for_end(sidecar: &Sidecar, pid_ns: u32) -> Result<()> {
    let what = format!("of the end of {pid_ns}");
    let is_it = |line: &Value| msg(line) == "workspace_ended" && line["fields"]["pid_ns"] == pid_ns;
    sidecar.events.wait_for(&what, is_it)?;
    Ok(())
}

/// The first process was killed, but the kernel keeps the namespace, because a process in it is not
/// reaped. In one workspace, that process came from outside, and its parent is stopped. In the
/// other workspace, a debugger outside traces the process.
pub(crate) fn a_workspace_with_somebody_left_has_not_ended(_: &Plan, _: &Report) -> Result<()> {
    let pod = Pod::start()?;
    let sidecar = Sidecar::start(&pod, &[])?;
    let (mut entered, mut attached) = (pod.workspace()?, pod.workspace()?);
    let (entered_ns, attached_ns) = (entered.pid_ns()?, attached.pid_ns()?);
    let (entered_init, attached_init) = (entered.init()?, attached.init()?);
    entered.run("/bin/true first")?;
    attached.run("/bin/sleep 1001 &")?;
    sidecar.wait_for_exec("1001")?;

    let parent = stopped_parent_of_a_process_in(entered_init, &sidecar)?;
    let debugger = debugger_of(innermost(attached_init))?;
    for init in [entered_init, attached_init] {
        kill_process(pid(init)?, Signal::KILL)?;
    }
    thread::sleep(NO_END_FOR);
    for init in [entered_init, attached_init] {
        let is_there = Path::new(&format!("/proc/{init}")).exists();
        ensure!(is_there, "the first process {init} has exited");
    }
    let too_early = ended(&sidecar);
    ensure!(too_early.is_empty(), "these have not ended: {too_early:?}");

    kill_process(parent.id()?, Signal::CONT)?;
    wait_for_end(&sidecar, entered_ns)?;
    let so_far = ended(&sidecar);
    ensure!(so_far.len() == 1, "one end expected, not {so_far:?}");
    drop(debugger);
    wait_for_end(&sidecar, attached_ns)?;
    sidecar.stop().map(drop)
}

/// The children of the first process still run while it exits, and their execs have lines. The line
/// of the end follows.
fn a_workspace_whose_first_process_takes_long_to_exit_is_recorded_to_its_last_exec(
    _: &Plan,
    report: &Report,
) -> Result<()> {
    let pod = Pod::start()?;
    let sidecar = Sidecar::start(&pod, &[])?;
    let mut workspace = pod.workspace_by(&[SELF, slow_exit::COMMAND])?;
    let pid_ns = workspace.pid_ns()?;
    let init = workspace.init()?;
    let mut occupant = Occupant::start()?;
    occupant.prolong_the_exit_of(pid(init)?)?;
    let since = Instant::now();
    let mut expected = Vec::new();
    while since.elapsed() < EXITING_FOR {
        let round = format!("round-{}", expected.len());
        workspace
            .run(&format!("/bin/true {round}"))
            .context("the first process has exited too soon")?;
        sidecar.wait_for_exec(&round)?;
        expected.push(round);
        let too_early = ended(&sidecar);
        ensure!(too_early.is_empty(), "an end too early: {too_early:?}");
        thread::sleep(Duration::from_millis(250));
    }
    report.figure(
        "execs while a first process exits",
        expected.len() as u64,
        "",
    );
    drop(occupant);
    wait_for_end(&sidecar, pid_ns)?;
    let lines = sidecar.stop()?;
    let end = lines.iter().position(|line| msg(line) == "workspace_ended");
    let before = end.and_then(|end| lines.get(..end)).context("no end")?;
    let seen: Vec<&str> = execs(before)
        .iter()
        .filter_map(|event| argv(event).get(1).copied())
        .filter(|word| word.starts_with("round-"))
        .collect();
    ensure!(
        seen == expected,
        "expected {expected:?}, but there are {seen:?}"
    );
    Ok(())
}
