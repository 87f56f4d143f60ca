//! A line says who executed, and where: the parent with its start time, the session, the
//! privileges, and whether the process came from outside.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, chown},
    path::Path,
};

use serde_json::Value;

use crate::{
    pod::{Pod, argv, execs, wait_for},
    tools::{THREADS, needs_kernel},
};

/// The events of the execs whose argv begins with this word.
fn of<'a>(lines: &'a [Value], word: &str) -> Vec<&'a Value> {
    let begins = |event: &&Value| event["argv"][0] == word;
    execs(lines).into_iter().filter(begins).collect()
}

/// The event of the only exec whose argv begins with this word.
#[track_caller]
fn one<'a>(lines: &'a [Value], word: &str) -> &'a Value {
    let found = of(lines, word);
    assert_eq!(found.len(), 1, "{word}: {found:?}");
    found[0]
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_parent_is_known_by_number_and_start() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&[]);
    let workspace = pod.workspace();
    let threads = THREADS.to_str().unwrap();
    workspace.run("sh", &["-c", &format!("{threads}; uname -m; :")]);
    let lines = sidecar.stop();
    let children = of(&lines, "uname");
    assert_eq!(children.len(), 3);
    for child in children {
        let parent = one(
            &lines,
            if child["argv"][1] == "-m" {
                "sh"
            } else {
                threads
            },
        );
        assert_eq!(child["ppid"], parent["pid"], "{child}");
        assert_eq!(child["ppid_start"], parent["start"], "{child}");
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_session_is_that_of_the_kernel() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&[]);
    let workspace = pod.workspace();
    let mut child = workspace
        .command("setsid")
        .args(["--wait", "sh", "-c", "sleep 600; :"])
        .spawn()
        .unwrap();
    let sleeper = wait_for("the sleeper's line", || {
        let lines = sidecar.lines();
        let found = of(&lines, "sleep").into_iter();
        let mut found = found.filter(|event| event["argv"][1] == "600");
        found.next().cloned()
    });
    let stat = fs::read_to_string(format!("/proc/{}/stat", sleeper["pid"])).unwrap();
    // pid (comm) state ppid pgrp session, proc_pid_stat(5).
    let (_, rest) = stat.rsplit_once(") ").unwrap();
    let session: u64 = rest.split(' ').nth(3).unwrap().parse().unwrap();
    assert_eq!(sleeper["sid"], session);
    let lines = sidecar.lines();
    let leader = one(&lines, "sh");
    assert_eq!(leader["sid"], leader["pid"]);
    assert_ne!(one(&lines, "setsid")["sid"], leader["sid"]);
    child.kill().unwrap();
    child.wait().unwrap();
}

/// A set-group-ID copy of a program.
fn set_group_id(dir: &Path, group: u32) -> std::path::PathBuf {
    let program = dir.join("set-group-id");
    fs::copy("/bin/true", &program).unwrap();
    chown(&program, None, Some(group)).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o2755)).unwrap();
    program
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn gained_and_forgone_privileges_are_named() {
    needs_kernel!();
    let pod = Pod::new();
    fs::set_permissions(pod.dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = set_group_id(pod.dir.path(), 4321);
    let path = program.to_str().unwrap();
    let sidecar = pod.sidecar(&[]);
    let workspace = pod.workspace();
    let user = ["--reuid=1000", "--regid=1000", "--clear-groups"];
    workspace.run("setpriv", &[&user[..], &[path]].concat());
    workspace.run(
        "setpriv",
        &[&user[..], &["--no-new-privs", "uname"]].concat(),
    );
    let lines = sidecar.stop();
    let gained = one(&lines, path);
    assert_eq!(
        (&gained["gid"], &gained["egid"]),
        (&1000.into(), &4321.into())
    );
    assert!(gained.get("no_new_privs").is_none(), "{gained}");
    let forgone = one(&lines, "uname");
    assert_eq!(forgone["no_new_privs"], true);
    assert!(forgone.get("egid").is_none(), "{forgone}");
    for caller in of(&lines, "setpriv") {
        assert!(caller.get("no_new_privs").is_none(), "{caller}");
    }
}

/// Lines of different runs in one file can be separated.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn each_line_names_its_run() {
    needs_kernel!();
    let pod = Pod::new();
    let mut runs = Vec::new();
    for node in ["one", "two"] {
        let sidecar = pod.sidecar(&["--exit-events", "--failed-execs", "--node", node]);
        let workspace = pod.workspace();
        workspace.run("sh", &["-c", "uname; /no/such/program; :"]);
        let lines = sidecar.stop();
        let start = &lines[0]["fields"];
        let run = start["run"].as_str().unwrap().to_owned();
        assert_eq!(run.len(), 12, "{run}");
        let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
        assert_eq!(start["boot_id"], boot_id.trim_end());
        assert_eq!(start["node"], node);
        for line in &lines {
            assert_eq!(line["fields"]["run"], *run, "{line}");
        }
        runs.push(run);
    }
    assert_ne!(runs[0], runs[1]);
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn what_comes_from_outside_is_marked() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&[]);
    let workspace = pod.workspace();
    workspace.run("sh", &["-c", "uname; :"]);
    let lines = sidecar.stop();
    for event in execs(&lines) {
        // Only the shell comes from outside, by nsenter.
        let expected = argv(event)[0] == "sh";
        let marked = event.get("entered").is_some_and(|entered| entered == true);
        assert_eq!(marked, expected, "{event}");
    }
    for (program, what) in [
        ("sh", "the shell by nsenter"),
        ("sleep", "the workspace's first process"),
    ] {
        assert_eq!(of(&lines, program).len(), 1, "{what}");
    }
}
