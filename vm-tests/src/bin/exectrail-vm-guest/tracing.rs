//! What tracing promises, on this kernel.

use std::{
    collections::BTreeMap, fs, os::unix::fs::PermissionsExt as _, process::Command, thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use exectrail_vm_tests::Plan;
use rustix::process::Signal;
use serde_json::Value;

use crate::{
    Test,
    container::{Pod, SELF},
    lines::{argv, execs, msg},
    report::Report,
    sidecar::Sidecar,
    verifier,
};

/// The scenarios' tests.
pub(crate) const TESTS: [Test; 14] = [
    ("lockdown_is_as_asked_for", lockdown_is_as_asked_for),
    (
        "preflight_finds_nothing_unmet",
        preflight_finds_nothing_unmet,
    ),
    (
        "the_verifier_is_not_overworked",
        the_verifier_is_not_overworked,
    ),
    (
        "run_lists_what_a_shell_starts",
        run_lists_what_a_shell_starts,
    ),
    (
        "a_script_names_its_interpreter",
        a_script_names_its_interpreter,
    ),
    ("long_arguments_arrive_whole", long_arguments_arrive_whole),
    ("what_is_cut_says_so", what_is_cut_says_so),
    (
        "a_workspace_is_found_by_itself",
        a_workspace_is_found_by_itself,
    ),
    ("neighbours_are_not_seen", neighbours_are_not_seen),
    ("announcements_are_judged", announcements_are_judged),
    ("announced_only_means_it", announced_only_means_it),
    (
        "host_network_turns_discovery_off",
        host_network_turns_discovery_off,
    ),
    (
        "a_reused_number_is_no_identity",
        a_reused_number_is_no_identity,
    ),
    ("no_exec_is_lost_uncounted", no_exec_is_lost_uncounted),
];

/// Most instructions that the verifier may process for a program. Its limit is 1,000,000; this leaves
/// room for what the next kernel finds harder.
const VERIFIER_BUDGET: u64 = 200_000;

pub(crate) fn lockdown_is_as_asked_for(plan: &Plan, _: &Report) -> Result<()> {
    let state = fs::read_to_string("/sys/kernel/security/lockdown")?;
    let asked = plan.scenario.lockdown().unwrap_or("none");
    ensure!(
        state.contains(&format!("[{asked}]")),
        "lockdown is {state}, not {asked}"
    );
    Ok(())
}

fn preflight_finds_nothing_unmet(_: &Plan, _: &Report) -> Result<()> {
    let output = Command::new("/bin/exectrail")
        .args(["preflight", "--format", "json"])
        .output()?;
    let report: Value = serde_json::from_slice(&output.stdout)?;
    let checks = report["checks"].as_array().context("no checks")?;
    let unmet: Vec<&Value> = checks
        .iter()
        .filter(|check| check["verdict"] != "ok" && check["verdict"] != "not_applicable")
        .collect();
    ensure!(unmet.is_empty(), "{}", serde_json::to_string(&unmet)?);
    ensure!(
        report["verdict"] == "ok",
        "the verdict is {}",
        report["verdict"]
    );
    ensure!(output.status.success(), "it ended with {}", output.status);
    Ok(())
}

fn the_verifier_is_not_overworked(_: &Plan, report: &Report) -> Result<()> {
    let output = Command::new(SELF)
        .args([
            verifier::COMMAND,
            "/bin/exectrail",
            "run",
            "--log=/tmp/verifier",
            "--",
            "/bin/true",
        ])
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success(),
        "{}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    let counts: BTreeMap<&str, u64> = text
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(name, count)| Some((name, count.parse().ok()?)))
        .collect();
    for name in ["exec", "own_scope", "exit"] {
        let count = *counts
            .get(name)
            .with_context(|| format!("{name} is not among {counts:?}"))?;
        report.figure(format!("verifier, {name}"), count, "instructions");
        ensure!(
            count <= VERIFIER_BUDGET,
            "the verifier processed {count} instructions of {name}, more than {VERIFIER_BUDGET}"
        );
    }
    Ok(())
}

/// Events of `exectrail run -- COMMAND…`.
fn run(flags: &[&str], command: &[&str]) -> Result<Vec<Value>> {
    let log = "/tmp/run.log";
    let _ = fs::remove_file(log);
    let output = Command::new("/bin/exectrail")
        .args(["run", "--output=json", "--log", log])
        .args(flags)
        .arg("--")
        .args(command)
        .output()?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "run ended with {}: {stderr}",
        output.status
    );
    let text = fs::read_to_string(log)?;
    let lines: Vec<Value> = text
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    ensure!(
        lines
            .last()
            .is_some_and(|line| msg(line) == "tracing_stopped"),
        "the log does not end with tracing_stopped: {text}"
    );
    Ok(execs(&lines))
}

fn run_lists_what_a_shell_starts(_: &Plan, _: &Report) -> Result<()> {
    let line = "/bin/uname -r; /bin/true 'a b' ''; /bin/unshare -p -f /bin/id";
    let events = run(&[], &["/bin/sh", "-c", line])?;
    let seen: Vec<(Vec<String>, &str)> = events
        .iter()
        .map(|event| (argv(event), event["filename"].as_str().unwrap_or_default()))
        .collect();
    let expected: Vec<(Vec<String>, &str)> = [
        (&["/bin/sh", "-c", line][..], "/bin/sh"),
        (&["/bin/uname", "-r"], "/bin/uname"),
        (&["/bin/true", "a b", ""], "/bin/true"),
        (&["/bin/unshare", "-p", "-f", "/bin/id"], "/bin/unshare"),
        (&["/bin/id"], "/bin/id"),
    ]
    .into_iter()
    .map(|(argv, filename)| (argv.iter().map(|&word| word.to_owned()).collect(), filename))
    .collect();
    ensure!(
        seen == expected,
        "expected {expected:?}, but there are {seen:?}"
    );

    let [sh, uname, _, unshare, id] = &events[..] else {
        unreachable!("five, as just compared");
    };
    ensure!(
        uname["comm"] == "sh",
        "the comm of what sh starts: {}",
        uname["comm"]
    );
    ensure!(
        uname["ppid"] == sh["pid"],
        "uname's parent is not sh: {uname}, {sh}"
    );
    ensure!(uname["pid_ns"] == sh["pid_ns"], "{uname}, {sh}");
    ensure!(
        id["pid_ns"] != sh["pid_ns"],
        "id is in a PID namespace of its own: {id}, {sh}"
    );
    ensure!(id["ns_pid"] == 1, "id is the first process there: {id}");
    ensure!(id["ppid"] == unshare["pid"], "{id}, {unshare}");
    ensure!(id["workspace_pid_ns"] == sh["pid_ns"], "{id}");
    for event in &events {
        for key in ["uid", "gid", "euid", "ns_uid", "ns_gid"] {
            ensure!(event[key] == 0, "{key} is not 0: {event}");
        }
    }
    ensure!(
        uname["ns_ppid"] == sh["ns_pid"],
        "uname's parent in the namespace is not sh: {uname}, {sh}"
    );
    Ok(())
}

fn a_script_names_its_interpreter(_: &Plan, _: &Report) -> Result<()> {
    let path = "/tmp/script";
    fs::write(path, "#!/bin/sh -e\nexit 0\n")?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    let events = run(&[], &[path, "argument"])?;
    let [script] = &events[..] else {
        anyhow::bail!("one exec expected: {events:?}");
    };
    ensure!(script["filename"] == path, "{script}");
    ensure!(script["interpreter"] == "/bin/sh", "{script}");
    ensure!(
        argv(script) == ["/bin/sh", "-e", path, "argument"],
        "{script}"
    );
    Ok(())
}

fn long_arguments_arrive_whole(_: &Plan, _: &Report) -> Result<()> {
    // Each position differs, so that a piece in the wrong place shows.
    let long: String = (0..12_800).map(|index| format!("{index:07}-")).collect();
    ensure!(long.len() == 102_400, "{}", long.len());
    let events = run(&[], &["/bin/true", "before", &long, "after"])?;
    let [event] = &events[..] else {
        anyhow::bail!("one exec expected, but there are {}", events.len());
    };
    let seen = argv(event);
    ensure!(seen.len() == 4, "{} arguments instead of 4", seen.len());
    ensure!(
        seen[2] == long,
        "the long argument differs: it has {} bytes",
        seen[2].len()
    );
    ensure!(seen[3] == "after", "the last one is {:?}", seen[3]);
    ensure!(event["truncated"] == false, "it says that it is cut");
    Ok(())
}

fn what_is_cut_says_so(_: &Plan, _: &Report) -> Result<()> {
    let long = "x".repeat(100_000);
    let events = run(&["--max-argv-bytes=64KiB"], &["/bin/true", &long])?;
    let [event] = &events[..] else {
        anyhow::bail!("one exec expected, but there are {}", events.len());
    };
    ensure!(event["truncated"] == true, "it does not say that it is cut");
    let true_length = "/bin/true".len() + 1 + long.len() + 1;
    ensure!(
        event["argv_bytes"] == true_length,
        "argv_bytes: {}",
        event["argv_bytes"]
    );
    let kept: usize = argv(event).iter().map(String::len).sum();
    ensure!((65_000..=65_536).contains(&kept), "{kept} bytes are kept");
    Ok(())
}

/// The first process of a container before it becomes its command, and the shell of a workspace.
fn workspace_start() -> [Vec<String>; 2] {
    [
        words(&[SELF, "container-init", "/bin/sh"]),
        words(&["/bin/sh"]),
    ]
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn a_workspace_is_found_by_itself(_: &Plan, report: &Report) -> Result<()> {
    let pod = Pod::start()?;
    let sidecar = Sidecar::start(&pod, &[])?;
    report.figure("start to tracing", sidecar.started()?, "ms");
    let mut workspace = pod.workspace()?;
    workspace.run("/bin/true in the workspace")?;
    workspace.run("/bin/unshare -p -f -n /bin/sh -c '/bin/true nested; /bin/true again'")?;
    workspace.run("/bin/true end")?;
    sidecar.wait_for_exec("end")?;
    let pid_ns = workspace.pid_ns()?;
    let started = sidecar
        .events
        .wait_for("of the workspace's start", |line| {
            msg(line) == "workspace_started"
        })?;
    ensure!(started["fields"]["pid_ns"] == pid_ns, "{started}");
    ensure!(started["fields"]["found"] == "discovery", "{started}");
    let mut expected = workspace_start().to_vec();
    expected.extend([
        words(&["/bin/true", "in", "the", "workspace"]),
        words(&[
            "/bin/unshare",
            "-p",
            "-f",
            "-n",
            "/bin/sh",
            "-c",
            "/bin/true nested; /bin/true again",
        ]),
        words(&["/bin/sh", "-c", "/bin/true nested; /bin/true again"]),
        words(&["/bin/true", "nested"]),
        words(&["/bin/true", "again"]),
        words(&["/bin/true", "end"]),
    ]);
    drop(workspace);
    let ended = sidecar.events.wait_for("of the workspace's end", |line| {
        msg(line) == "workspace_ended"
    })?;
    ensure!(ended["fields"]["pid_ns"] == pid_ns, "{ended}");
    let seen = sidecar.stop_and_list()?;
    ensure!(
        seen == expected,
        "expected {expected:?}, but there are {seen:?}"
    );
    Ok(())
}

fn neighbours_are_not_seen(_: &Plan, _: &Report) -> Result<()> {
    let (pod, neighbour) = (Pod::start()?, Pod::start()?);
    let ours = Sidecar::start(&pod, &[])?;
    let theirs = Sidecar::start(&neighbour, &[])?;
    let (mut one, mut other) = (pod.workspace()?, neighbour.workspace()?);
    Command::new("/bin/true").arg("on the node").status()?;
    for round in 0..3 {
        one.run(&format!("/bin/true one {round}"))?;
        other.run(&format!("/bin/true other {round}"))?;
    }
    for (sidecar, name) in [(ours, "one"), (theirs, "other")] {
        sidecar.events.wait_for("of the last exec", |line| {
            argv(&line["fields"]["event"]) == ["/bin/true", name, "2"]
        })?;
        let mut expected = workspace_start().to_vec();
        expected.extend((0..3).map(|round| words(&["/bin/true", name, &round.to_string()])));
        let seen = sidecar.stop_and_list()?;
        ensure!(
            seen == expected,
            "expected {expected:?}, but there are {seen:?}"
        );
    }
    Ok(())
}

fn announcements_are_judged(_: &Plan, _: &Report) -> Result<()> {
    let (pod, neighbour) = (Pod::start()?, Pod::start()?);
    let sidecar = Sidecar::start(&pod, &[])?;
    let (mut workspace, mut foreign) = (pod.workspace()?, neighbour.workspace()?);
    workspace.run("/bin/true")?;
    foreign.run("/bin/true")?;
    let own = sidecar.pid_ns()?;
    for (what, announced, expected) in [
        ("the workspace's", workspace.pid_ns()?.to_string(), 204),
        (
            "the workspace's again",
            workspace.pid_ns()?.to_string(),
            204,
        ),
        ("zero", "0".into(), 403),
        ("the node's", "4026531836".into(), 403),
        ("the sidecar's own", own.to_string(), 403),
        ("a neighbour's", foreign.pid_ns()?.to_string(), 403),
        ("nobody's", "4026532999".into(), 403),
        ("no number", "pid:[1]".into(), 400),
    ] {
        let (status, text) = pod.announce(&announced)?;
        ensure!(
            status == expected,
            "announcing {what} namespace ({announced}) was answered {status} {text:?}, not {expected}"
        );
        ensure!(
            status == 204 || !text.is_empty(),
            "no reason is given for {status}"
        );
    }
    sidecar.stop().map(drop)
}

fn announced_only_means_it(_: &Plan, _: &Report) -> Result<()> {
    let pod = Pod::start()?;
    let sidecar = Sidecar::start(&pod, &["--announced-only"])?;
    let mut workspace = pod.workspace()?;
    workspace.run("/bin/true before")?;
    let (status, text) = pod.announce(workspace.pid_ns()?)?;
    ensure!(status == 204, "{status} {text}");
    workspace.run("/bin/true after")?;
    sidecar.wait_for_exec("after")?;
    let seen = sidecar.stop_and_list()?;
    ensure!(seen == [words(&["/bin/true", "after"])], "{seen:?}");
    Ok(())
}

fn host_network_turns_discovery_off(_: &Plan, _: &Report) -> Result<()> {
    let pod = Pod::on_host_network();
    let sidecar = Sidecar::start(&pod, &[])?;
    let (mut workspace, mut neighbour) = (pod.workspace()?, pod.workspace()?);
    workspace.run("/bin/true before")?;
    neighbour.run("/bin/true neighbour")?;
    Command::new("/bin/true").arg("on the node").status()?;
    let (status, text) = pod.announce(workspace.pid_ns()?)?;
    ensure!(status == 204, "{status} {text}");
    workspace.run("/bin/true after")?;
    neighbour.run("/bin/true neighbour")?;
    workspace.run("/bin/true end")?;
    sidecar.wait_for_exec("end")?;
    let seen = sidecar.stop_and_list()?;
    let expected = [words(&["/bin/true", "after"]), words(&["/bin/true", "end"])];
    ensure!(seen == expected, "{seen:?}");
    Ok(())
}

/// Containers that are tried until one has the number of a dead namespace.
const ATTEMPTS: usize = 40;

fn a_reused_number_is_no_identity(_: &Plan, report: &Report) -> Result<()> {
    let pod = Pod::start()?;
    let sidecar = Sidecar::start(&pod, &[])?;
    let neighbour = Pod::start()?;
    let mut workspace = pod.bare_shell()?;
    workspace.run("/bin/true first")?;
    sidecar.wait_for_exec("first")?;
    let number = workspace.pid_ns()?;
    drop(workspace);
    let mut kept = Vec::new();
    for attempt in 1..=ATTEMPTS {
        // The kernel frees a namespace a little after its last process.
        thread::sleep(Duration::from_millis(50));
        let mut foreign = neighbour.bare_shell()?;
        if foreign.pid_ns()? == number {
            report.figure("containers until a number comes again", attempt as u64, "");
            foreign.run("/bin/true foreign")?;
            let (status, text) = pod.announce(number)?;
            ensure!(
                status == 403,
                "announcing the dead one was answered {status} {text:?}"
            );
            foreign.run("/bin/true foreign")?;
            let mut again = pod.workspace()?;
            again.run("/bin/true second")?;
            sidecar.wait_for_exec("second")?;
            let seen = sidecar.stop_and_list()?;
            let mut expected = vec![words(&["/bin/sh"]), words(&["/bin/true", "first"])];
            expected.extend(workspace_start());
            expected.push(words(&["/bin/true", "second"]));
            ensure!(
                seen == expected,
                "expected {expected:?}, but there are {seen:?}"
            );
            return Ok(());
        }
        kept.push(foreign);
    }
    anyhow::bail!("after {ATTEMPTS} containers none had the number {number} again");
}

fn no_exec_is_lost_uncounted(_: &Plan, report: &Report) -> Result<()> {
    const EXECS: u64 = 900;
    let pod = Pod::start()?;
    let sidecar = Sidecar::start(&pod, &["--ring-bytes=64KiB"])?;
    let mut workspace = pod.workspace()?;
    workspace.run("/bin/true before")?;
    sidecar.wait_for_exec("before")?;
    sidecar.signal(Signal::STOP)?;
    workspace.run(&format!(
        "n=0; while [ $n -lt {EXECS} ]; do /bin/true many; n=$((n+1)); done"
    ))?;
    sidecar.signal(Signal::CONT)?;
    let lost_at_first = sidecar
        .events
        .wait_for("of loss", |line| msg(line) == "lost")?;
    ensure!(
        lost_at_first["fields"]["count"].as_u64() > Some(0),
        "{lost_at_first}"
    );
    workspace.run("/bin/true after")?;
    sidecar.wait_for_exec("after")?;
    let lines = sidecar.stop()?;
    let many = execs(&lines)
        .iter()
        .filter(|event| argv(event) == ["/bin/true", "many"])
        .count() as u64;
    let lost: u64 = lines
        .iter()
        .filter(|line| msg(line) == "lost")
        .filter_map(|line| line["fields"]["count"].as_u64())
        .sum();
    report.figure("kept in a ring of 64 KiB", many, "execs");
    ensure!(
        many + lost == EXECS,
        "{EXECS} execs happened; {many} lines and {lost} lost make {}",
        many + lost
    );
    Ok(())
}
