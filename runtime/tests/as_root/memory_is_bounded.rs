//! A memory limit leads to a refusal at the start, or has no effect; the kernel never kills
//! exectrail later.

use std::{
    fs,
    io::{Read as _, Seek as _, SeekFrom},
};

use exectrail_common::{counters::LANES, map_memory};
use exectrail_preflight::KernelVersion;
use exectrail_testbed::{cgroup::entry_script, memory_cgroup::MemoryCgroup};

use crate::{
    pod::{Pod, Sidecar, execs, lost, wait_for},
    tools::{EXECTRAIL, NOOP, TOOL, kernel_version, needs_kernel, not_here},
};

/// A memory cgroup with this limit. Without memory cgroups on this machine, reports that there is
/// nothing to test.
fn limited(test: &str, limit: u64) -> Option<MemoryCgroup> {
    let cgroup = MemoryCgroup::with_limit(limit);
    cgroup
        .inspect_err(|error| not_here(test, &error.to_string()))
        .ok()
}

/// Starts exectrail in the cgroup.
fn sidecar(cgroup: &MemoryCgroup, pod: &Pod, arguments: &[&str]) -> Sidecar {
    let mut command = pod.container("sh");
    command
        .args(["-c", &entry_script(cgroup.directory()), EXECTRAIL])
        .args(["--announced-only", "--init-address=127.0.0.1:56123"])
        .arg("--refusal-grace=0s")
        .args(arguments);
    Sidecar::spawn(command)
}

fn killed(cgroup: &MemoryCgroup) -> u64 {
    cgroup.killed().unwrap()
}

/// The number of MiB that a refusal asks for.
fn needed(said: &str) -> u64 {
    said.split_once("and the process need ")
        .and_then(|(_, rest)| rest.split(' ').next()?.parse().ok())
        .unwrap_or_else(|| panic!("it does not say what it takes: {said}"))
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_limit_is_refused_or_kept() {
    needs_kernel!();
    const MIB: u64 = 1 << 20;
    let pod = Pod::new();
    let Some(small) = limited("a_limit_is_refused_or_kept", 20 * MIB) else {
        return;
    };
    let mut refused = sidecar(&small, &pod, &[]);
    assert_eq!(refused.wait().code(), Some(1));
    let said = refused.diagnostics();
    assert!(said.contains("the limit is 20 MiB"), "{said}");
    assert!(said.contains("resources.limits.memory"), "{said}");
    assert_eq!(killed(&small), 0);
    let needed = needed(&said);

    // With the limit that the refusal asks for, exectrail starts, and continues after a time with a
    // full ring.
    let enough = MemoryCgroup::with_limit(needed * MIB).unwrap();
    let sidecar = sidecar(&enough, &pod, &[]);
    sidecar.wait_until_on();
    let workspace = pod.workspace();
    assert_eq!(workspace.announce().0, 204);
    sidecar.signal(rustix::process::Signal::STOP);
    const EXECS: u64 = 20_000;
    workspace.run(
        &*TOOL,
        &["burst", NOOP.to_str().unwrap(), &EXECS.to_string()],
    );
    sidecar.signal(rustix::process::Signal::CONT);
    let lines = sidecar.stop();
    assert_eq!(killed(&enough), 0);
    let lost = lost(&lines);
    assert!(lost > 0);
    // The exec of the tool itself counts, too.
    assert_eq!(execs(&lines).len() as u64 + lost, EXECS + 1);
}

/// The memory that a refusal asks for grows with `--max-argv-bytes`, in the sidecar and in
/// `exectrail preflight`.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn long_argv_counts_against_the_limit() {
    needs_kernel!();
    const MIB: u64 = 1 << 20;
    let pod = Pod::new();
    let Some(small) = limited("long_argv_counts_against_the_limit", 21 * MIB) else {
        return;
    };
    let asked = |arguments: &[&str]| {
        let mut refused = sidecar(&small, &pod, arguments);
        assert_eq!(refused.wait().code(), Some(1));
        needed(&refused.diagnostics())
    };
    let (least, most) = (asked(&[]), asked(&["--max-argv-bytes=6MiB"]));
    assert!(least < most, "{least} MiB and {most} MiB");
    let preflight = |size: &str| {
        let mut command = pod.command("sh");
        command
            .args(["-c", &entry_script(small.directory()), EXECTRAIL])
            .args(["preflight", &format!("--max-argv-bytes={size}")]);
        let output = command.output().unwrap();
        needed(&String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(preflight("128KiB"), least);
    assert_eq!(preflight("6MiB"), most);
    assert_eq!(killed(&small), 0);
}

/// preflight's figures for the memory of maps are near the kernel's. For the slots of early argv,
/// the figure is less than 8 KiB too low. For the per-CPU maps, it is never too low, and at most
/// twice as high.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn the_maps_take_what_is_counted() {
    needs_kernel!();
    let cpus = aya::util::nr_cpus().unwrap() as u64;
    let in_lanes = kernel_version() >= KernelVersion::PREEMPTIBLE_TRACEPOINTS;
    let lanes = if in_lanes { LANES } else { 1 };
    // By default, and with all flags that add maps.
    let all = [
        "--exit-events",
        "--failed-execs=any",
        "--exclude=comm=make",
        "--rate-limit=1000/s",
    ];
    for (flags, counted) in [
        (&[][..], map_memory::per_cpu_bytes(cpus, lanes)),
        (&all, map_memory::per_cpu_bytes_of_all(cpus, lanes)),
    ] {
        let pod = Pod::new();
        let sidecar = pod.sidecar(flags);
        let (early, per_cpu) = map_bytes(&sidecar);
        let slots = map_memory::early_bytes(cpus);
        assert!(
            (slots..slots + 8192).contains(&early),
            "{slots} counted, {early} taken"
        );
        assert!(
            (counted / 2..=counted).contains(&per_cpu),
            "{counted} counted, {per_cpu} taken with {flags:?}"
        );
        sidecar.stop();
    }
}

/// Number of bytes of the map with slots for early argv, and of all per-CPU maps.
fn map_bytes(sidecar: &Sidecar) -> (u64, u64) {
    /// Kinds of maps with per-CPU values, by their numbers in include/uapi/linux/bpf.h.
    const PER_CPU: [&str; 3] = ["5", "6", "10"];
    let mut early = Vec::new();
    let mut per_cpu = 0;
    let directory = format!("/proc/{}/fdinfo", sidecar.pid());
    for file in fs::read_dir(directory).unwrap() {
        // The descriptor of a client's connection may be closed by now.
        let info = fs::read_to_string(file.unwrap().path()).unwrap_or_default();
        let value = |key: &str| {
            let line = info.lines().find_map(|line| line.strip_prefix(key))?;
            Some(line.trim_start_matches([':', '\t']))
        };
        let Some(kind) = value("map_type") else {
            continue;
        };
        let bytes: u64 = value("memlock").unwrap().parse().unwrap();
        if value("value_size") == Some(&map_memory::EARLY_SLOT_BYTES.to_string()) {
            early.push(bytes);
        } else if PER_CPU.contains(&kind) {
            per_cpu += bytes;
        }
    }
    assert_eq!(
        early.len(),
        1,
        "no map, or several, with slots of this size"
    );
    (early[0], per_cpu)
}

/// exectrail has exactly the memory limit that a refusal asks for. Execs with a very long argv do
/// not lead to a kill, whatever bytes argv has. Up to four such execs run at once. Each exec has a
/// line, complete or flagged as truncated, or is lost and counted.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn no_exec_outgrows_a_limit_that_was_accepted() {
    needs_kernel!();
    const MIB: u64 = 1 << 20;
    let pod = Pod::new();
    let Some(small) = limited("no_exec_outgrows_a_limit_that_was_accepted", 22 * MIB) else {
        return;
    };
    let flags = ["--max-argv-bytes=6MiB", "--ring-bytes=32MiB"];
    let mut refused = sidecar(&small, &pod, &flags);
    assert_eq!(refused.wait().code(), Some(1));
    let enough = MemoryCgroup::with_limit(needed(&refused.diagnostics()) * MIB).unwrap();
    let sidecar = sidecar(&enough, &pod, &flags);
    sidecar.wait_until_on();
    let workspace = pod.workspace();
    assert_eq!(workspace.announce().0, 204);
    // Four kinds of argv that take the most room in a line. A control character takes six bytes in
    // JSON, a byte that is not UTF-8 is escaped, and a quote is quoted in `cmdline`. The fourth has
    // many short arguments.
    let mut all = 0;
    for (kind, word, at_once) in [
        ("control", r"b'\x01' * 131000", 4),
        ("invalid", r"b'\xff' * 131000", 1),
        ("quotes", "b\"'\" * 131000", 1),
        ("short", r"b'\x01'", 4),
    ] {
        let count = if kind == "short" { 300_000 } else { 42 };
        all += at_once;
        let script = format!(
            "import os, resource, sys\n\
             unlimited = resource.RLIM_INFINITY\n\
             resource.setrlimit(resource.RLIMIT_STACK, (unlimited, unlimited))\n\
             argv = [b'noop', b'{kind}'] + [{word}] * {count}\n\
             children = []\n\
             for n in range({at_once}):\n\
             \x20   pid = os.fork()\n\
             \x20   if pid == 0: os.execve('{}', argv, {{}})\n\
             \x20   children.append(pid)\n\
             for pid in children:\n\
             \x20   assert os.waitpid(pid, 0)[1] == 0\n",
            NOOP.display()
        );
        workspace.run("python3", &["-c", &script]);
        wait_for("the lines to be written", || {
            assert_eq!(killed(&enough), 0, "{kind}");
            // This exec itself may be lost, if the ring is full.
            workspace.run("true", &[kind]);
            let mut log = fs::File::open(sidecar.log()).unwrap();
            let start = log.metadata().unwrap().len().saturating_sub(65536);
            log.seek(SeekFrom::Start(start)).unwrap();
            let mut tail = Vec::new();
            log.read_to_end(&mut tail).unwrap();
            String::from_utf8_lossy(&tail)
                .contains(&format!(r#""argv":["true","{kind}"]"#))
                .then_some(())
        });
    }
    assert_eq!(killed(&enough), 0);
    let lines = sidecar.stop();
    let noop = NOOP.to_str().unwrap();
    let long: Vec<_> = execs(&lines)
        .into_iter()
        .filter(|event| event["filename"] == noop)
        .collect();
    assert!(long.len() == all || lost(&lines) > 0, "{}", long.len());
    assert!(!long.is_empty());
    for event in long {
        let kept = event["argv"].as_array().unwrap().len();
        let whole = event["argc"].as_u64().unwrap() as usize;
        assert!(
            event["truncated"] == true || kept == whole,
            "{kept} {whole}"
        );
    }
}
