//! Every way to execute a program gives one line, with the right argv, filename and ids.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::{
    pod::{Pod, Sidecar, Workspace, argv, execs},
    tools::{NOOP, TOOL, WAYS, needs_kernel, replay_input, scratch},
};

/// A traced workspace.
fn traced() -> (Pod, Sidecar, Workspace) {
    let pod = Pod::new();
    let sidecar = pod.sidecar(&["--announced-only"]);
    let workspace = pod.workspace();
    assert_eq!(workspace.announce().0, 204);
    (pod, sidecar, workspace)
}

/// The events between the exec of `ways` with the argument `way` and the next exec of `ways`.
fn after_way<'a>(events: &[&'a Value], way: &str) -> Vec<&'a Value> {
    let start = events
        .iter()
        .position(|event| {
            argv(event).get(1) == Some(&way) && event["filename"] == WAYS.to_str().unwrap()
        })
        .unwrap();
    let rest = &events[start + 1..];
    let end = rest
        .iter()
        .position(|event| event["filename"] == WAYS.to_str().unwrap())
        .unwrap_or(rest.len());
    rest[..end].to_vec()
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn every_system_call_and_namespace() {
    needs_kernel!();
    let (_pod, sidecar, workspace) = traced();
    let noop = NOOP.to_str().unwrap();
    let name = NOOP.file_name().unwrap().to_str().unwrap();
    // The way, and the filename (`*` stands for any text) and argv[0] of its exec.
    let ways = [
        ("execve", noop, "noop"),
        ("execveat_path", noop, "noop"),
        ("execveat_dirfd", &format!("/dev/fd/*/{name}"), "noop"),
        ("execveat_empty_path", "/dev/fd/*", "noop"),
        ("fexecve_deleted", "/dev/fd/*", "noop"),
        ("memfd", "/dev/fd/*", "noop"),
        ("posix_spawn", noop, "noop"),
        ("vfork", noop, "noop"),
        ("thread", noop, "noop"),
        ("unshare_mount", noop, "noop"),
        ("unshare_net", noop, "noop"),
        ("unshare_user", noop, "noop"),
        ("unshare_pid", noop, "noop"),
        ("unshare_pid_without_fork", noop, "noop"),
        ("unshare_all", noop, "noop"),
        ("setns_net", noop, "noop"),
        ("chroot", "/noop", "noop"),
        ("empty_argv0", noop, ""),
        ("lying_argv0", noop, "/usr/bin/innocent"),
        ("no_environment", noop, "noop"),
        ("seccomp", noop, "noop"),
        ("ptrace", noop, "noop"),
        ("daemon", noop, "noop"),
        ("renamed", noop, "noop"),
    ];
    for (way, ..) in ways {
        workspace.run(&*WAYS, &[way, noop]);
    }
    workspace.run(&*WAYS, &["no_argv", noop]);
    let lines = sidecar.stop();
    let events = execs(&lines);
    for (way, filename, argv0) in ways {
        let seen = after_way(&events, way);
        assert_eq!(seen.len(), 1, "{way}: {seen:#?}");
        let event = seen[0];
        assert_eq!(argv(event), [argv0, way], "{way}");
        let shown = event["filename"].as_str().unwrap();
        match filename.split_once('*') {
            Some((before, after)) => {
                assert!(
                    shown.starts_with(before) && shown.ends_with(after),
                    "{way}: {shown}"
                );
            }
            None => assert_eq!(shown, filename, "{way}"),
        }
        assert_eq!(event["workspace_pid_ns"], workspace.pid_ns(), "{way}");
        let own = !["unshare_pid", "unshare_all"].contains(&way);
        assert_eq!(event["pid_ns"] == workspace.pid_ns(), own, "{way}");
        assert_eq!(event["ns_pid"] == 1, !own, "{way}");
        let comm = if way == "renamed" { "renamed" } else { "ways" };
        assert_eq!(event["comm"], comm, "{way}");
        // In a new user namespace without a map, every id is shown as 65534.
        let mapped = !["unshare_user", "unshare_all"].contains(&way);
        assert_eq!(event["ns_uid"], if mapped { 0 } else { 65534 }, "{way}");
        assert_eq!(event["uid"], 0, "{way}");
    }
    // Since Linux 5.18 a program without arguments gets an empty one (fs/exec.c).
    let none = after_way(&events, "no_argv");
    assert_eq!(none.len(), 1);
    let arguments = argv(none[0]);
    assert!(arguments.is_empty() || arguments == [""], "{arguments:?}");
}

/// Writes an executable file.
fn executable(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn scripts_nested_as_deep_as_the_kernel_allows() {
    needs_kernel!();
    let (pod, sidecar, workspace) = traced();
    // The kernel follows at most five interpreters, of which the last must be a program
    // (`exec_binprm`, fs/exec.c).
    let path = |level: u32| pod.dir.path().join(format!("script{level}"));
    executable(
        &path(0),
        &format!("#!{} argument of one piece\n", NOOP.display()),
    );
    for level in 1..5 {
        executable(&path(level), &format!("#!{}\n", path(level - 1).display()));
    }
    workspace.run(path(4), &["own"]);
    let lines = sidecar.stop();
    let event = *execs(&lines).last().unwrap();
    let text = |path: PathBuf| path.to_str().unwrap().to_owned();
    assert_eq!(event["filename"], text(path(4)));
    assert_eq!(event["interpreter"], NOOP.to_str().unwrap());
    assert_eq!(
        argv(event),
        [
            NOOP.to_str().unwrap(),
            "argument of one piece",
            &text(path(0)),
            &text(path(1)),
            &text(path(2)),
            &text(path(3)),
            &text(path(4)),
            "own"
        ]
    );
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn the_dynamic_loader_called_by_hand() {
    needs_kernel!();
    let loader = "/lib64/ld-linux-x86-64.so.2";
    if !Path::new(loader).exists() {
        crate::tools::skip("the_dynamic_loader_called_by_hand", "no loader at /lib64");
        return;
    }
    let (_pod, sidecar, workspace) = traced();
    workspace.run(loader, &["/bin/true", "x"]);
    let lines = sidecar.stop();
    let event = *execs(&lines).last().unwrap();
    assert_eq!(event["filename"], loader);
    assert_eq!(argv(event), [loader, "/bin/true", "x"]);
}

/// Makes a 32-bit program from `exec32.s`; returns whether it can be built and run here.
pub(crate) fn build_exec32(program: &Path) -> bool {
    let object = program.with_extension("o");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/as_root/exec32.s");
    let assembled = Command::new("as")
        .arg("--32")
        .arg("-o")
        .args([&object, &source])
        .status();
    if !assembled.is_ok_and(|status| status.success()) {
        return false;
    }
    let linked = Command::new("ld")
        .args(["-m", "elf_i386", "-o"])
        .arg(program)
        .arg(&object)
        .status()
        .unwrap();
    assert!(linked.success());
    Command::new(program).status().is_ok()
}

/// Execs in both directions between 64 and 32 bits: of a 32-bit program, and by a 32-bit program
/// through int 0x80.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn programs_of_32_bits() {
    needs_kernel!();
    let program = scratch("exec32");
    if !build_exec32(&program) {
        crate::tools::skip("programs_of_32_bits", "no 32-bit programs here");
        return;
    }
    let (_pod, sidecar, workspace) = traced();
    let program = program.to_str().unwrap();
    let noop = NOOP.to_str().unwrap();
    workspace.run(program, &[noop, "from 32 bits"]);
    workspace.run(program, &[program]);
    let lines = sidecar.stop();
    let events = execs(&lines);
    let seen: Vec<_> = events[events.len() - 4..]
        .iter()
        .map(|event| argv(event))
        .collect();
    assert_eq!(seen[0], [program, noop, "from 32 bits"]);
    assert_eq!(seen[1], [noop, "from 32 bits"]);
    assert_eq!(seen[2], [program, program]);
    assert_eq!(seen[3], [program]);
}

/// With binfmt_misc, if the kernel has it, the line has the interpreter and the file.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn binfmt_misc() {
    needs_kernel!();
    let (pod, sidecar, workspace) = traced();
    let file = pod.dir.path().join("file.exectrail-test");
    executable(&file, "anything");
    let script = format!(
        "mount -t binfmt_misc none /proc/sys/fs/binfmt_misc 2>/dev/null || exit 77
         # A test that was killed may have left this entry.
         echo -1 2>/dev/null >/proc/sys/fs/binfmt_misc/exectrail-test
         echo ':exectrail-test:E::exectrail-test::{}:' >/proc/sys/fs/binfmt_misc/register || exit 1
         {} own; status=$?
         echo -1 >/proc/sys/fs/binfmt_misc/exectrail-test; exit $status",
        NOOP.display(),
        file.display(),
    );
    let status = workspace
        .command("sh")
        .args(["-c", &script])
        .status()
        .unwrap();
    let lines = sidecar.stop();
    if status.code() == Some(77) {
        crate::tools::not_here("binfmt_misc", "the kernel has no binfmt_misc");
        return;
    }
    assert!(status.success());
    let event = *execs(&lines).last().unwrap();
    let (file, noop) = (file.to_str().unwrap(), NOOP.to_str().unwrap());
    assert_eq!(event["filename"], file);
    assert_eq!(event["interpreter"], noop);
    assert_eq!(argv(event), [noop, file, "own"]);
}

/// The longest filename, and the kernel's limits on arguments.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn filenames_and_arguments_to_the_kernels_limits() {
    needs_kernel!();
    let pod = Pod::new();
    // The ring holds the longest argv.
    let sidecar = pod.sidecar(&[
        "--announced-only",
        "--max-argv-bytes=6MiB",
        "--ring-bytes=16MiB",
    ]);
    let workspace = pod.workspace();
    assert_eq!(workspace.announce().0, 204);
    // A path of 4,095 bytes, which is PATH_MAX with its NUL.
    let noop = NOOP.to_str().unwrap();
    let long = format!("{}{noop}", "/".repeat(4095 - noop.len()));
    workspace.run(&long, &["x"]);
    let argvs = [
        // One argument of MAX_ARG_STRLEN, 128 KiB with its NUL.
        vec![vec![b'a'; 131_071]],
        // 100,000 arguments.
        (0..100_000)
            .map(|number| (number % 10).to_string().into_bytes())
            .collect(),
        // Close to a quarter of the usual stack limit of 8 MiB, pointers included.
        vec![vec![b'b'; 99_999]; 20],
    ];
    let input = replay_input(&argvs);
    workspace.feed(&TOOL, &["replay".as_ref(), NOOP.as_ref()], &input);
    // With a raised stack limit, up to 6 MiB.
    let huge = vec![vec![b'c'; 99_999]; 60];
    let script = "ulimit -s unlimited && exec \"$0\" replay \"$1\"";
    let mut child = workspace
        .command("sh")
        .args(["-c", script])
        .args([&*TOOL, &*NOOP])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let input = replay_input(std::slice::from_ref(&huge));
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), &input).unwrap();
    assert!(child.wait().unwrap().success());

    let lines = sidecar.stop();
    let events = execs(&lines);
    let seen: Vec<_> = events
        .iter()
        .filter(|event| event["filename"] == noop)
        .collect();
    assert!(
        events
            .iter()
            .any(|event| event["filename"] == long.as_str())
    );
    assert_eq!(seen.len(), 4);
    for (event, expected) in seen.iter().zip(argvs.iter().chain([&huge])) {
        assert_eq!(event["truncated"], false);
        let expected: Vec<_> = expected
            .iter()
            .map(|word| std::str::from_utf8(word).unwrap())
            .collect();
        assert!(
            argv(event) == expected,
            "{} arguments, {} expected",
            argv(event).len(),
            expected.len()
        );
    }
}
