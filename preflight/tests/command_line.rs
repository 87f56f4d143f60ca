//! Tests of the program as a user, a node agent or a careless script runs it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that fails should stop where it failed"
)]
#![forbid(unsafe_code)]

mod support;

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use exectrail_testbed::schema::check;
use serde_json::{Value, json};
use support::{KernelTypes, Node, kernel_btf};

fn program(node: &Node) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_exectrail-preflight"));
    for (flag, root) in [("--proc", "proc"), ("--sys", "sys"), ("--boot", "boot")] {
        command.arg(flag).arg(node.path(root));
    }
    command.env_remove("NO_COLOR");
    command
}

fn run(node: &Node, args: &[&str]) -> Output {
    program(node).args(args).output().unwrap()
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn unfit() -> Node {
    Node::fit()
        .release("4.19.0")
        .cap_eff(0)
        .without("sys/kernel/btf")
}

fn unclear() -> Node {
    Node::fit().without("proc/self/status")
}

#[test]
fn exit_codes_are_those_of_the_help() {
    let codes = |format| {
        [Node::fit(), unfit(), unclear()]
            .map(|node| run(&node, &["--format", format]).status.code().unwrap())
    };
    assert_eq!(codes("text"), [0, 1, 3]);
    assert_eq!(codes("json"), [0, 1, 3]);
    assert_eq!(codes("npd"), [0, 1, 3]);
    assert_eq!(codes("nfd"), [0, 0, 0]);
    for wrong in [
        &["--format", "xml"][..],
        &["--no-such-flag"],
        &["extra"],
        &["--ring-bytes", "-1"],
        &["--init-address", "localhost"],
        &["--format"],
    ] {
        let output = run(&Node::fit(), wrong);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
        assert!(
            output.stdout.is_empty() && !output.stderr.is_empty(),
            "{wrong:?}"
        );
    }
    let help = run(&Node::fit(), &["--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(stdout(&help).contains("Examples:") && stdout(&help).contains("Exit codes:"));
}

#[test]
fn text_names_the_cause_and_the_remedy() {
    let output = run(&unfit(), &[]);
    let text = stdout(&output);
    assert!(text.contains("Linux 4.19.0 is older than 5.8"), "{text}");
    assert!(
        text.contains("help: in the container's securityContext set"),
        "{text}"
    );
    assert!(text.contains("CapEff: 0000000000000000"), "{text}");
    assert!(
        text.ends_with("exectrail cannot trace here: kernel, btf, capabilities\n"),
        "{text}"
    );
    assert!(
        !text.contains('\x1b'),
        "no color where there is no terminal"
    );

    assert!(stdout(&run(&unfit(), &["--color", "always"])).contains("\x1b[1;31munmet  \x1b[0m"));
    assert!(!stdout(&run(&unfit(), &["--color", "never"])).contains('\x1b'));
    let brief = run(&Node::fit(), &[]);
    let verbose = run(&Node::fit(), &["-v"]);
    assert!(stdout(&brief).lines().count() < stdout(&verbose).lines().count());
}

#[test]
fn npd_is_one_line_of_at_most_80_characters() {
    let everything = Node::empty().release("4.19.0");
    for node in [Node::fit(), unfit(), unclear(), everything] {
        let output = run(
            &node,
            &["--format", "npd", "--init-address", "203.0.113.7:1"],
        );
        let text = stdout(&output);
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.trim_end().chars().count() <= 80, "{text}");
    }
}

#[test]
fn nfd_is_labels() {
    let output = run(&unfit(), &["--format", "nfd"]);
    for line in stdout(&output).lines() {
        let (name, value) = line.split_once('=').unwrap();
        let (namespace, name) = name.split_once('/').unwrap();
        assert!(namespace.ends_with(".feature.node.kubernetes.io"));
        for word in [name, value] {
            let plain = |c: char| c.is_ascii_lowercase() || c == '_';
            assert!(
                !word.is_empty() && word.len() <= 63 && word.chars().all(plain),
                "{line}"
            );
            assert!(!word.starts_with('_') && !word.ends_with('_'), "{line}");
        }
    }
    assert!(stdout(&output).contains("/fit=false\n"));
    assert!(stdout(&run(&unclear(), &["--format", "nfd"])).contains("/fit=unknown\n"));
}

#[test]
fn json_is_as_the_schema_has_it() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/preflight.schema.json");
    let schema: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    for node in [Node::fit(), unfit(), unclear(), Node::empty()] {
        let json: Value =
            serde_json::from_slice(&run(&node, &["--format", "json"]).stdout).unwrap();
        check(&json, &schema).unwrap();
    }
}

/// The list has every field that is looked up; the offset of a field that the kernel lacks is null.
#[test]
fn json_lists_the_offsets_of_the_kernel() {
    let offsets = |node: &Node| {
        let output = run(node, &["--format", "json"]);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        report["offsets"].as_array().unwrap().clone()
    };
    let fit = offsets(&Node::fit());
    assert_eq!(fit.len(), exectrail_preflight::offsets::FIELD_COUNT);
    for expected in [
        json!({"struct": "task_struct", "member": "nsproxy", "offset": 88}),
        json!({"struct": "upid", "size": 16}),
        json!({"struct": "net", "member": "ns.inum", "offset": 144}),
        json!({"struct": "kernfs_node", "member": "parent", "offset": null}),
    ] {
        assert!(fit.contains(&expected), "{expected} is not in {fit:#?}");
    }
    let old = KernelTypes {
        start_boottime: "real_start_time",
        ..KernelTypes::default()
    };
    let old = Node::fit().file("sys/kernel/btf/vmlinux", kernel_btf(old));
    let lacking = json!({"struct": "task_struct", "member": "start_boottime", "offset": null});
    assert!(offsets(&old).contains(&lacking));
    assert_eq!(offsets(&old).len(), fit.len());
    assert!(offsets(&Node::fit().without("sys/kernel/btf")).is_empty());
}

#[test]
fn output_is_replaced_whole() {
    let node = Node::fit();
    let (dir, file) = (node.path("features.d"), node.path("features.d/exectrail"));
    fs::create_dir(&dir).unwrap();
    fs::write(&file, "old").unwrap();
    let output = run(
        &node,
        &["--format", "nfd", "--output", file.to_str().unwrap()],
    );
    assert!(output.status.success() && output.stdout.is_empty());
    assert!(fs::read_to_string(&file).unwrap().contains("/fit=true\n"));
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o644
    );
    assert_eq!(
        fs::read_dir(&dir).unwrap().count(),
        1,
        "nothing else is left behind"
    );

    for nowhere in [
        node.path("none/such"),
        dir,
        Path::new("/proc/x").into(),
        Path::new("").into(),
    ] {
        let output = run(&node, &["--output", nowhere.to_str().unwrap()]);
        assert!(
            matches!(output.status.code(), Some(2 | 4)),
            "{nowhere:?}: {output:?}"
        );
        assert!(!output.stderr.is_empty());
    }
}

#[test]
fn output_to_what_is_no_file_replaces_nothing() {
    let node = Node::fit();
    // The test uses its own pipe: a failing test must not replace /dev/null with a file.
    let pipe = node.path("pipe");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::read_to_string(pipe).unwrap()
    });
    assert!(
        run(&node, &["--format", "npd", "-o", pipe.to_str().unwrap()])
            .status
            .success()
    );
    assert_eq!(reader.join().unwrap(), "exectrail can trace\n");
    assert!(!pipe.metadata().unwrap().is_file());

    // A link stays a link, and the file that it names is replaced.
    let node = node.file("real/report", "old").link("link", "real/report");
    let link = node.path("link");
    assert!(
        run(&node, &["--format", "npd", "-o", link.to_str().unwrap()])
            .status
            .success()
    );
    assert!(link.symlink_metadata().unwrap().is_symlink());
    assert_eq!(
        fs::read_to_string(node.path("real/report")).unwrap(),
        "exectrail can trace\n"
    );
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    // The variable keeps the node's files until the program has ended.
    let node = Node::fit();
    let mut child = program(&node)
        .args(["--format", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let status = child.wait().unwrap();
    let mut errors = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut errors)
        .unwrap();
    assert_eq!((status.code(), errors.as_str()), (Some(0), ""));
}

#[test]
fn a_full_disk_is_reported() {
    let full = || File::options().write(true).open("/dev/full").unwrap();
    let output = program(&Node::fit()).stdout(full()).output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&output.stderr).contains("could not write to standard output"));
    // The exit status is also right if standard error fails.
    let status = program(&Node::fit())
        .stdout(full())
        .stderr(full())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(4));
}

#[test]
fn roots_that_are_no_directories_end_with_status_2_or_3() {
    for root in [
        "/dev/null",
        "/dev/zero",
        "/nonexistent",
        "",
        "/proc/self/mem",
        "\u{1b}[31m",
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_exectrail-preflight"))
            .args(["--proc", root, "--sys", root, "--boot", root])
            .output()
            .unwrap();
        assert!(
            matches!(output.status.code(), Some(2 | 3)),
            "{root:?}: {output:?}"
        );
        assert!(!stdout(&output).contains('\x1b'));
    }
}
