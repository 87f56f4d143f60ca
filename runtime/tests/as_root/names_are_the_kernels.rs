//! Filename and argv of a line are what was executed, even if a process writes to the new program's
//! memory before its first instruction. The longest path is complete.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::{
    pod::{Pod, Sidecar, Workspace, argv, execs},
    tools::{STACK_WRITER, needs_kernel, not_here},
};

/// An ELF program that exits at once. It has so many segments that mapping them takes milliseconds,
/// and during this time its stack can be written to.
fn many_segments(path: &Path) {
    const CODE_AT: u64 = 0x10000;
    const SEGMENTS: u64 = 1000;
    // exit(7), x86-64 and aarch64
    let code: &[u8] = if cfg!(target_arch = "x86_64") {
        b"\xb8\x3c\0\0\0\xbf\x07\0\0\0\x0f\x05"
    } else {
        b"\xa8\x0b\x80\xd2\xe0\0\x80\xd2\x01\0\0\xd4"
    };
    let machine: u16 = if cfg!(target_arch = "x86_64") {
        62
    } else {
        183
    };
    let mut file = Vec::new();
    file.extend(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    for half in [2, machine] {
        file.extend(half.to_le_bytes());
    }
    file.extend(1u32.to_le_bytes());
    for word in [0x40_0000u64, 64, 0] {
        file.extend(word.to_le_bytes());
    }
    file.extend(0u32.to_le_bytes());
    for half in [64u16, 56, SEGMENTS as u16, 64, 0, 0] {
        file.extend(half.to_le_bytes());
    }
    for segment in 0..SEGMENTS {
        let (flags, address): (u32, u64) = if segment == 0 {
            (5, 0x40_0000)
        } else {
            (4, 0x1000_0000 + segment * 0x2_0000)
        };
        file.extend(1u32.to_le_bytes());
        file.extend(flags.to_le_bytes());
        for word in [CODE_AT, address, address, 0x1000, 0x1000, 0x1_0000] {
            file.extend(u64::to_le_bytes(word));
        }
    }
    file.resize(CODE_AT as usize, 0);
    file.extend(code);
    file.resize(CODE_AT as usize + 0x1000, 0);
    fs::write(path, file).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Executes the program up to 300 times, each time with an attempt to write to its stack, until
/// `done` returns true. `how` has further arguments of the writer. Returns the number of
/// executions, or `None` if `done` never returned true.
fn write_to(scene: &Scene, how: &[&str], mut done: impl FnMut(&Scene) -> bool) -> Option<usize> {
    for round in 1..=300 {
        let output = scene
            .workspace
            .command("setpriv")
            .args([
                "--reuid=65534",
                "--regid=65534",
                "--clear-groups",
                "--no-new-privs",
            ])
            .arg(&*STACK_WRITER)
            .arg(&scene.program)
            .arg(&scene.other)
            .args(how)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let (outcome, status) = said.trim().split_once(' ').unwrap();
        assert_eq!(
            status,
            "7",
            "{said} {}",
            String::from_utf8_lossy(&output.stderr)
        );
        // The write may still have happened after the program's first instruction.
        if outcome == "written" && done(scene) {
            return Some(round);
        }
    }
    None
}

/// Number of execs whose lines say that their stack was written to.
fn tampered(lines: &[Value]) -> usize {
    execs(lines)
        .iter()
        .filter(|event| event["tampered"] == true)
        .count()
}

struct Scene {
    _pod: Pod,
    sidecar: Sidecar,
    workspace: Workspace,
    _dir: tempfile::TempDir,
    program: PathBuf,
    other: String,
}

fn scene(flags: &[&str]) -> Scene {
    let dir = tempfile::TempDir::with_prefix("names").unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = dir.path().join("secret-program");
    many_segments(&program);
    let length = program.to_str().unwrap().len();
    let other = format!("/usr/bin/{}", "g".repeat(length - "/usr/bin/".len()));
    let pod = Pod::new();
    let sidecar = pod.sidecar(flags);
    let workspace = pod.workspace();
    Scene {
        _pod: pod,
        sidecar,
        workspace,
        _dir: dir,
        program,
        other,
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn nobody_writes_another_name_or_other_arguments_into_a_line() {
    needs_kernel!();
    let scene = scene(&["--fields", "all"]);
    let Some(rounds) = write_to(&scene, &[], |scene| tampered(&scene.sidecar.lines()) >= 3) else {
        not_here("names", "fewer than 3 writes were in time");
        return;
    };
    let lines = scene.sidecar.stop();
    let name = scene.program.to_str().unwrap();
    let seen: Vec<&Value> = execs(&lines)
        .into_iter()
        .filter(|event| event["filename"] == name)
        .collect();
    assert_eq!(seen.len(), rounds);
    // On a busy machine, the kept argv of an exec can be overwritten by another exec before the
    // first is recorded. Then the line of the first exec says that argv could have been changed.
    let protected = |event: &&&Value| event.get("argv_unprotected_from").is_none();
    for event in seen.iter().filter(protected) {
        assert_eq!(argv(event), ["secret-word", "--upload"], "{event}");
    }
    let unprotected = seen.iter().filter(|event| !protected(event)).count();
    assert!(unprotected < rounds, "none of {rounds} was protected");
    let flagged: Vec<_> = seen
        .iter()
        .filter(|event| event["tampered"] == true)
        .collect();
    // `stack_filename` is null if only the arguments were overwritten before the probe read the
    // stack.
    let names: Vec<&Value> = flagged
        .iter()
        .map(|event| &event["stack_filename"])
        .collect();
    assert!(
        names.iter().any(|name| **name == scene.other.as_str()),
        "{names:?}"
    );
    assert!(
        !execs(&lines)
            .iter()
            .any(|event| event["filename"] == scene.other.as_str())
    );
}

/// With the default keys, too, a line is flagged if the strings on the stack have other lengths.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn other_arguments_are_flagged_by_their_lengths() {
    needs_kernel!();
    let scene = scene(&[]);
    let Some(rounds) = write_to(&scene, &["split"], |scene| {
        tampered(&scene.sidecar.lines()) > 0
    }) else {
        not_here("names", "no write was in time");
        return;
    };
    let lines = scene.sidecar.stop();
    let name = scene.program.to_str().unwrap();
    let events = execs(&lines);
    let seen = events.iter().filter(|event| event["filename"] == name);
    assert_eq!(seen.count(), rounds);
    for event in events.iter().filter(|event| event["tampered"] == true) {
        assert_eq!(event["filename"], name, "{event}");
        assert_eq!(event.get("stack_filename"), None, "{event}");
    }
}

/// Rules, too, use the kernel's copy of the filename: a forged name does not suppress an exec.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn nobody_writes_himself_out_of_the_log() {
    needs_kernel!();
    let scene = scene(&["--exclude", "filename=/usr/bin/*"]);
    let mut written = 0;
    let enough = |_: &Scene| {
        written += 1;
        written == 5
    };
    let Some(rounds) = write_to(&scene, &[], enough) else {
        not_here("names", "fewer than 5 writes happened");
        return;
    };
    let lines = scene.sidecar.stop();
    let name = scene.program.to_str().unwrap();
    let seen = execs(&lines)
        .iter()
        .filter(|event| event["filename"] == name)
        .count();
    assert_eq!(seen, rounds);
}

/// Most ordinary execs are read in time, with any arguments and environment.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn ordinary_arguments_are_protected() {
    needs_kernel!();
    let pod = Pod::new();
    // `--fields all` adds the comparison of the filename on the stack.
    let sidecar = pod.sidecar(&["--fields", "all"]);
    let workspace = pod.workspace();
    let mut expected = Vec::new();
    for environment in [0, 1, 100, 4_000, 40_000, 100_000] {
        for length in [0, 1, 500, 2_000] {
            let word = format!("{environment}-{length}-{}", "x".repeat(length));
            let mut command = workspace.command("env");
            command.args([
                "-i",
                &format!("A={}", "e".repeat(environment)),
                "/bin/true",
                &word,
            ]);
            assert!(command.status().unwrap().success());
            expected.push(word);
        }
    }
    // The arguments that the kernel adds for a script move the others on the stack.
    let script = pod.dir.path().join("script");
    let shebang = "#!/bin/sh -e\n";
    fs::write(&script, format!("{shebang}exit 0\n")).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let name = "n".repeat(5_000);
    let status = workspace
        .command("bash")
        .args([
            "-c",
            "exec -a \"$0\" \"$1\" argument",
            &name,
            script.to_str().unwrap(),
        ])
        .status()
        .unwrap();
    assert!(status.success());
    let lines = sidecar.stop();
    let events = execs(&lines);
    let truths: Vec<&&Value> = events
        .iter()
        .filter(|event| event["filename"] == "/bin/true")
        .collect();
    assert_eq!(truths.len(), expected.len());
    let mut unprotected = 0;
    for (event, word) in truths.iter().zip(&expected) {
        assert_eq!(argv(event), ["/bin/true", word]);
        assert_eq!(event.get("tampered"), None, "{event}");
        unprotected += usize::from(event.get("argv_unprotected_from").is_some());
    }
    // An unprotected argv is rare, and happens only beside many other execs.
    assert!(
        unprotected <= truths.len() / 4,
        "{unprotected} of {}",
        truths.len()
    );
    let scripts: Vec<&&Value> = events
        .iter()
        .filter(|event| event["filename"] == script.to_str().unwrap())
        .collect();
    assert_eq!(scripts.len(), 1);
    assert_eq!(
        argv(scripts[0])[1..],
        ["-e", script.to_str().unwrap(), "argument"]
    );
    assert_eq!(scripts[0].get("tampered"), None, "{}", scripts[0]);
}

/// An argv that exceeds the kept part of the stack is flagged, with the position.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn long_arguments_say_from_where_they_could_have_been_changed() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&[]);
    let workspace = pod.workspace();
    let word = "y".repeat(50_000);
    for _ in 0..8 {
        workspace.run("/bin/true", &[&word]);
    }
    let lines = sidecar.stop();
    let events = execs(&lines);
    let truths = events
        .iter()
        .filter(|event| event["filename"] == "/bin/true");
    let mut from = Vec::new();
    for event in truths {
        assert_eq!(argv(event), ["/bin/true", &word]);
        from.push(event["argv_unprotected_from"].as_u64().unwrap());
    }
    assert_eq!(from.len(), 8);
    // 0 means that another exec has overwritten the kept part of this exec's stack.
    let kept = from.iter().filter(|from| (2_000..=6_144).contains(*from));
    assert!(kept.count() >= 1, "{from:?}");
}

/// The kernel puts `/dev/fd/NUMBER/` before a relative path of `execveat`. If the path is as long
/// as the kernel accepts, the result is longer than `PATH_MAX`. Its line has all of it.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn the_longest_path_of_execveat_is_whole() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&["--failed-execs=sys-exit"]);
    let workspace = pod.workspace();
    // The path goes up and down, and ends at an existing program. The path is nearly as long as the
    // kernel accepts.
    let step = "../bin/";
    let target = "true";
    let count = (4_095 - target.len()) / step.len();
    let path = format!("{}{target}", step.repeat(count));
    let script = format!(
        "import os, ctypes\nfd = os.open('/bin', os.O_RDONLY)\nlibc = ctypes.CDLL(None)\n\
         path = b'{path}'\nargv = (ctypes.c_char_p * 2)(b'true', None)\n\
         libc.syscall({}, fd, path, argv, (ctypes.c_char_p * 1)(None), 0)\n",
        if cfg!(target_arch = "x86_64") {
            322
        } else {
            281
        }
    );
    let python = Command::new("python3").arg("--version").output();
    if !python.is_ok_and(|output| output.status.success()) {
        not_here("execveat", "there is no python3");
        return;
    }
    workspace.run("python3", &["-c", &script]);
    let lines = sidecar.stop();
    let events = execs(&lines);
    let event = events.last().unwrap();
    let filename = event["filename"].as_str().unwrap();
    assert!(
        filename.starts_with("/dev/fd/") && filename.ends_with(&path),
        "{filename}"
    );
    assert!(filename.len() > 4_095);
    assert_eq!(event.get("filename_truncated"), None);
}
