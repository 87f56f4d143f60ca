//! A line names the parent's program, the terminal, and the capabilities that an exec gave. The
//! line has the keys that `--fields` asks for.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, chown},
};

use serde_json::Value;

use crate::{
    pod::{Pod, execs, wait_for},
    tools::{NOOP, needs_kernel},
};

/// The event of the only exec whose argv begins with these words.
#[track_caller]
fn one<'a>(lines: &'a [Value], words: &[&str]) -> &'a Value {
    let begins = |event: &&Value| {
        let argv = event["argv"].as_array().unwrap();
        words
            .iter()
            .enumerate()
            .all(|(index, word)| argv.get(index) == Some(&(*word).into()))
    };
    let found: Vec<_> = execs(lines).into_iter().filter(begins).collect();
    assert_eq!(found.len(), 1, "{words:?}: {found:?}");
    found[0]
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_parents_program_is_named_or_not_at_all() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&["--fields", "all", "--exclude", "filename=/usr/bin/env"]);
    let workspace = pod.workspace();
    // The second shell is a fork of the first: it executes no program, but starts `uname -n`. The
    // third shell starts `uname -s`, and becomes env, whose exec is suppressed. env becomes
    // python3, which starts `uname -v`.
    let script = "uname -m; (uname -n; :); sh -c 'uname -s; exec /usr/bin/env -- \
        python3 -c \"import os; \
        os.spawnvp(os.P_WAIT, \\\"uname\\\", [\\\"uname\\\", \\\"-v\\\"])\"'; :";
    workspace.run("sh", &["-c", script]);
    let lines = sidecar.stop();
    let shell = fs::canonicalize("/bin/sh").unwrap();
    let known = one(&lines, &["uname", "-m"]);
    assert_eq!(known["parent_exe"], shell.to_str().unwrap(), "{known}");
    assert_eq!(
        known["parent_argv"],
        serde_json::json!(["sh", "-c", script]),
        "{known}"
    );
    let forked = one(&lines, &["uname", "-n"]);
    assert!(forked.get("parent_exe").is_none(), "{forked}");
    assert!(forked.get("parent_argv").is_none(), "{forked}");
    let inner = one(&lines, &["uname", "-s"]);
    assert_eq!(inner["parent_argv"][0], "sh", "{inner}");
    // The parent in this line is python3. The same process was a shell and env before.
    let python = one(&lines, &["uname", "-v"]);
    assert_eq!(python["parent_argv"][1], "-c", "{python}");
    assert!(
        python["parent_exe"].as_str().unwrap().contains("python"),
        "{python}"
    );
}

/// If the parent's last exec has no line, the child's line does not name the parent's earlier
/// program.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_parent_that_became_something_unseen_is_unknown() {
    needs_kernel!();
    let pod = Pod::new();
    let python = fs::canonicalize("/usr/bin/python3").unwrap();
    let exclude = format!("filename={}", python.display());
    let sidecar = pod.sidecar(&["--exclude", &exclude]);
    let workspace = pod.workspace();
    let script = format!(
        "exec {} -c 'import os; os.spawnvp(os.P_WAIT, \"uname\", [\"uname\"])'",
        python.display()
    );
    workspace.run("sh", &["-c", &script]);
    let lines = sidecar.stop();
    let child = one(&lines, &["uname"]);
    assert!(child.get("parent_exe").is_none(), "{child}");
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_terminal_has_its_name() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&[]);
    let workspace = pod.workspace();
    let seen = pod.dir.path().join("seen");
    let script = format!("tty > {}; uname -m; :", seen.display());
    let python = format!("import pty; pty.spawn([\"sh\", \"-c\", \"{script}\"])");
    workspace.run("python3", &["-c", &python]);
    workspace.run("setsid", &["--wait", "uname", "-n"]);
    let lines = sidecar.stop();
    let truth = fs::read_to_string(seen).unwrap();
    let name = truth.trim_end().strip_prefix("/dev/").unwrap();
    assert_eq!(one(&lines, &["uname", "-m"])["tty"], name);
    assert!(one(&lines, &["uname", "-n"]).get("tty").is_none());
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn capabilities_that_an_exec_gave_are_listed() {
    needs_kernel!();
    let pod = Pod::new();
    fs::set_permissions(pod.dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let copy = |name: &str| {
        let program = pod.dir.path().join(name);
        fs::copy(&*NOOP, &program).unwrap();
        program
    };
    let (with, root, plain) = (copy("with"), copy("root"), copy("plain"));
    // `struct vfs_cap_data`, revision 2, effective: permitted and inheritable, low and high
    // (include/uapi/linux/capability.h). CAP_NET_RAW is 13, CAP_SYSLOG is 34.
    let caps: Vec<u8> = [0x0200_0001_u32, 1 << 13, 0, 1 << (34 - 32), 0]
        .iter()
        .flat_map(|word| word.to_le_bytes())
        .collect();
    let flags = rustix::fs::XattrFlags::empty();
    rustix::fs::setxattr(&with, "security.capability", &caps, flags).unwrap();
    chown(&root, Some(0), None).unwrap();
    fs::set_permissions(&root, fs::Permissions::from_mode(0o4755)).unwrap();
    let sidecar = pod.sidecar(&[]);
    let workspace = pod.workspace();
    for program in [&with, &root, &plain] {
        // `os.setuid` drops the capabilities before the exec. setpriv(1) would keep them up to the
        // exec, so the exec would gain none.
        let program = program.display();
        let python = format!(
            "import os; os.setgid(1000); os.setuid(1000); os.execv(\"{program}\", [\"{program}\"])"
        );
        workspace.run("/usr/bin/python3", &["-c", &python]);
    }
    let lines = sidecar.stop();
    let gained = |program: &std::path::Path| {
        one(&lines, &[program.to_str().unwrap()])
            .get("cap_gained")
            .cloned()
    };
    assert_eq!(
        gained(&with),
        Some(serde_json::json!(["CAP_NET_RAW", "CAP_SYSLOG"]))
    );
    let all = gained(&root).unwrap();
    assert!(
        all.as_array().unwrap().contains(&"CAP_SYS_ADMIN".into()),
        "{all}"
    );
    assert_eq!(gained(&plain), None);
}

/// The keys of an exec's line, of its `fields` and of its `event`.
fn keys(line: &str) -> Vec<String> {
    let value: serde_json::Map<String, Value> = serde_json::from_str(line).unwrap();
    let fields = value["fields"].as_object().unwrap();
    let names = |map: &serde_json::Map<String, Value>| map.keys().cloned().collect::<Vec<_>>();
    [
        names(&value),
        names(fields),
        names(fields["event"].as_object().unwrap()),
    ]
    .concat()
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_line_has_the_keys_that_were_asked_for() {
    needs_kernel!();
    let pod = Pod::new();
    let raw = |flags: &[&str]| {
        let sidecar = pod.sidecar(flags);
        let workspace = pod.workspace();
        workspace.run("uname", &["-m"]);
        wait_for("the line", || {
            let text = fs::read_to_string(sidecar.log()).unwrap();
            let mut lines = text.split_inclusive('\n');
            let line = lines.find(|line| line.contains(r#""uname","-m""#))?;
            line.strip_suffix('\n').map(str::to_owned)
        })
    };
    let sorted = |line: &str| {
        let mut keys = keys(line);
        keys.sort();
        keys
    };
    // The line of exectrace 0.1: the same keys, and the same bytes from `cmdline` to `pid`.
    let line = raw(&["--fields", "exectrace"]);
    let tail = line.split_once(r#""cmdline":"#).unwrap().1;
    let known = concat!(
        r#""uname -m","event":{"filename":"/usr/bin/uname","argv":["uname","-m"],"#,
        r#""truncated":false,"pid":"#,
    );
    assert!(tail.starts_with(known), "{line}");
    let known = [
        "argv",
        "cmdline",
        "comm",
        "event",
        "fields",
        "filename",
        "gid",
        "labels",
        "level",
        "msg",
        "pid",
        "truncated",
        "ts",
        "uid",
    ];
    assert_eq!(sorted(&line), known);
    let default = sorted(&raw(&[]));
    let without = sorted(&raw(&["--omit", "sid,cmdline", "--omit", "exe"]));
    let left: Vec<_> = default
        .iter()
        .filter(|key| !["sid", "cmdline", "exe"].contains(&key.as_str()))
        .cloned()
        .collect();
    assert_eq!(without, left);
    let all = sorted(&raw(&["--fields", "all"]));
    for key in ["dev", "ino", "nlink", "cwd"] {
        assert!(
            all.contains(&key.to_owned()) && !default.contains(&key.to_owned()),
            "{key}"
        );
    }
}
