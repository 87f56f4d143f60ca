//! Flags and environment variables have the same grammar in the sidecar, in `run` and in preflight.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStringExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::tools::{EXECTRAIL, needs_kernel, skip};

/// Variables of the sidecar, each with an invalid value.
const SIDECAR: [(&str, &str); 24] = [
    ("INIT_ADDRESS", "nowhere"),
    ("METRICS_ADDRESS", "host:1"),
    ("STARTUP_TIMEOUT", "soon"),
    ("USE_LOCAL_PIDNS", "on"),
    ("ANNOUNCED_ONLY", "enabled"),
    ("REFUSAL_GRACE", "10"),
    ("OUTPUT", "yaml"),
    ("LABEL", "novalue"),
    ("LABEL_FILE_KEY", "=key"),
    ("RING_BYTES", "3MiB"),
    ("MAX_ARGV_BYTES", "7MiB"),
    ("MAX_LINE_BYTES", "100"),
    ("EXIT_EVENTS", "disabled"),
    ("FAILED_EXECS", "kprobe"),
    ("EXCLUDE", "git"),
    ("INCLUDE", "git"),
    ("RATE_LIMIT", "1000"),
    ("RATE_BURST", "0"),
    ("REDACT", "all"),
    ("FIELDS", "some"),
    ("OMIT", "msg"),
    ("NODE", "node_1"),
    ("CHECKPOINT", "never"),
    ("LOG_LEVEL", "loud"),
];

fn variable(name: &str) -> String {
    format!("EXECTRAIL_{name}")
}

/// Runs exectrail without capabilities: if its usage is right, it refuses at once to trace.
fn sidecar(name: &str, value: &OsStr) -> Output {
    Command::new("unshare")
        .args(["--net", "setpriv", "--bounding-set", "-all", EXECTRAIL])
        .arg("--refusal-grace=0s")
        .env(variable(name), value)
        .output()
        .unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn an_empty_variable_is_unset() {
    needs_kernel!();
    for (name, _) in SIDECAR
        .into_iter()
        .chain(["LABEL_FILE", "STATE_DIR", "REDACT_KEY", "SIGN_KEY"].map(|name| (name, "")))
    {
        let output = sidecar(name, OsStr::new(""));
        // exectrail refuses because it lacks capabilities, so its usage is right.
        assert_eq!(output.status.code(), Some(1), "{name}: {}", stderr(&output));
    }
    let output = Command::new(EXECTRAIL)
        .args(["announce", "--timeout=100ms", "--init-address=127.0.0.1:1"])
        .env("EXECTRAIL_ANNOUNCE_TIMEOUT", "")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_variable_that_is_not_understood_is_named() {
    needs_kernel!();
    for (name, wrong) in SIDECAR {
        if name == "REFUSAL_GRACE" {
            // This test sets the refusal grace by a flag, which takes precedence.
            continue;
        }
        let output = sidecar(name, OsStr::new(wrong));
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{name}: {said}");
        assert!(said.contains(&variable(name)), "{name}: {said}");
        assert!(said.contains(wrong), "{name}: {said}");
        assert!(output.stdout.is_empty(), "{name}");
    }
    // Each of these variables is valid only together with another variable.
    for (name, value) in [("RATE_BURST", "5"), ("LABEL_FILE_KEY", "key")] {
        let output = sidecar(name, OsStr::new(value));
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains(&variable(name)));
    }
    for (arguments, name) in [
        (&["announce"][..], "ANNOUNCE_TIMEOUT"),
        (&["announce"], "INIT_ADDRESS"),
        (&["ready"], "INIT_ADDRESS"),
        (&["run", "--", "true"], "EXIT_EVENTS"),
        (&["run", "--", "true"], "LABEL"),
        (&["run", "--", "true"], "EXCLUDE"),
        (&["preflight"], "RING_BYTES"),
        (&["preflight"], "MAX_ARGV_BYTES"),
        (&["preflight"], "USE_LOCAL_PIDNS"),
    ] {
        let output = Command::new(EXECTRAIL)
            .args(arguments)
            .env(variable(name), "disabled")
            .output()
            .unwrap();
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(&variable(name)), "{arguments:?}: {said}");
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_variable_that_is_not_text_is_named() {
    needs_kernel!();
    let all = SIDECAR.map(|(name, _)| name);
    for name in all
        .into_iter()
        .chain(["LABEL_FILE", "STATE_DIR", "SIGN_KEY"])
    {
        for bytes in [&b"\xff"[..], b"user=j\xff", b"filename=/tmp/\xff\nuid=0"] {
            let output = sidecar(name, &OsString::from_vec(bytes.to_vec()));
            let said = stderr(&output);
            assert_eq!(output.status.code(), Some(2), "{name}: {said}");
            assert!(said.contains(&variable(name)), "{name}: {said}");
            assert!(said.contains("not valid UTF-8"), "{name}: {said}");
        }
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn yes_and_no_have_three_words_each() {
    needs_kernel!();
    let lines = |value: &str| {
        let log = tempfile::NamedTempFile::new().unwrap();
        let output = Command::new(EXECTRAIL)
            .args(["run", "--output=json", "--log"])
            .arg(log.path())
            .args(["--", "true"])
            .env("EXECTRAIL_EXIT_EVENTS", value)
            .output()
            .unwrap();
        assert!(output.status.success(), "{value}: {}", stderr(&output));
        std::fs::read_to_string(log.path()).unwrap()
    };
    for (value, on) in [
        ("true", true),
        ("YES", true),
        ("1", true),
        ("False", false),
        ("no", false),
        ("0", false),
        ("", false),
    ] {
        assert_eq!(lines(value).contains(r#""msg":"exit""#), on, "{value:?}");
    }
}

/// A flag on the command line overrides a valid variable.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_flag_overrides_its_variable() {
    needs_kernel!();
    let output = Command::new(EXECTRAIL)
        .args(["preflight", "--format=json", "--init-address=:1"])
        .env("EXECTRAIL_INIT_ADDRESS", "127.0.0.1:2")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("0.0.0.0:1") && !text.contains("127.0.0.1:2"),
        "{text}"
    );
}

/// preflight accepts the values of the sidecar, both as part of exectrail and as a separate
/// program.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn preflight_takes_the_sidecars_values() {
    needs_kernel!();
    let own = Path::new(EXECTRAIL).with_file_name("exectrail-preflight");
    let programs: Vec<(PathBuf, &[&str])> = if own.exists() {
        vec![(EXECTRAIL.into(), &["preflight"]), (own, &[])]
    } else {
        skip(
            "preflight_takes_the_sidecars_values",
            "exectrail-preflight is not built",
        );
        return;
    };
    for (program, first) in &programs {
        let run = |arguments: &[&str], variables: &[(&str, &str)]| {
            Command::new("unshare")
                .args(["--net", "--"])
                .arg(program)
                .args(*first)
                .args(arguments)
                .envs(variables.iter().copied())
                .output()
                .unwrap()
        };
        let flags = [
            "--ring-bytes",
            "16MiB",
            "--init-address",
            ":56123",
            "--max-argv-bytes=1MiB",
        ];
        let output = run(&flags, &[]);
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(text.contains("0.0.0.0:56123 can be bound"), "{text}");
        let variables = [
            ("EXECTRAIL_RING_BYTES", "32MiB"),
            ("EXECTRAIL_INIT_ADDRESS", "localhost:56123"),
            ("EXECTRAIL_USE_LOCAL_PIDNS", "no"),
        ];
        let output = run(&["-v"], &variables);
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        assert!(text.contains("127.0.0.1:56123 can be bound"), "{text}");
        for wrong in [
            &["--ring-bytes=3MiB"][..],
            &["--ring-bytes=16MB"],
            &["--init-address=56123"],
            &["--max-argv-bytes=7MiB"],
        ] {
            let output = run(wrong, &[]);
            assert_eq!(output.status.code(), Some(2), "{wrong:?}");
        }
        let output = run(&[], &[("EXECTRAIL_RING_BYTES", "16MB")]);
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains("EXECTRAIL_RING_BYTES"));
    }
}

/// exectrail warns of mistyped variables, but not of the variables that Kubernetes sets for
/// Services.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn an_unknown_variable_is_a_warning() {
    needs_kernel!();
    let output = sidecar("RING_BYTE", OsStr::new("16MiB"));
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("EXECTRAIL_RING_BYTE"));
    for name in [
        "SERVICE_HOST",
        "SERVICE_PORT",
        "SERVICE_PORT_INIT",
        "PORT",
        "PORT_56123_TCP",
        "PORT_56123_TCP_ADDR",
        "METRICS_SERVICE_HOST",
        "METRICS_PORT",
    ] {
        let output = sidecar(name, OsStr::new("tcp://10.0.0.1:56123"));
        assert_eq!(output.status.code(), Some(1), "{name}");
        assert!(!stderr(&output).contains(&variable(name)), "{name}");
    }
}
