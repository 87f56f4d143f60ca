//! Tests every validation of the module's variables, both ways. Valid values pass. Invalid values
//! are refused with a text that names the variable and describes valid values.

use exectrail_templates::{Error, Value};

use crate::documents::{module, text};

fn list(elements: &[&str]) -> Value {
    elements.iter().copied().collect()
}

fn map(entries: &[(&str, &str)]) -> Value {
    entries.iter().copied().collect()
}

/// For each variable with a validation: accepted values, refused values, and a part of the message
/// of the refusal.
pub(crate) fn cases() -> Vec<(&'static str, Vec<Value>, Vec<Value>, &'static str)> {
    let number =
        |number: f64| Value::Number(exectrail_templates::Number::from_f64(number).unwrap());
    vec![
        (
            "script",
            vec!["exec /envbox docker".into(), "#!/bin/sh\n".into()],
            vec!["".into(), " \n\t".into()],
            "coder_agent.main.init_script",
        ),
        (
            "scripts",
            vec![map(&[]), map(&[("tools", "exec sleep 1"), ("a", "true")])],
            vec![map(&[("", "x")]), map(&[("tools", " \n")])],
            "would start without exectrail",
        ),
        (
            "labels",
            vec![
                map(&[]),
                map(&[("username", "any = text\n"), ("a.b/c-d", "")]),
            ],
            vec![
                map(&[("", "x")]),
                map(&[("a=b", "x")]),
                map(&[("a b", "x")]),
            ],
            "white space",
        ),
        (
            "labels_from_pod",
            vec![
                map(&[]),
                map(&[("username", "com.coder.user.username"), ("a", "b/c.d")]),
            ],
            vec![
                map(&[("", "x")]),
                map(&[("a", "")]),
                map(&[("a=b", "x")]),
                map(&[("a", "b=c")]),
                map(&[("a b", "x")]),
                map(&[("a", "b c")]),
            ],
            "white space",
        ),
        (
            "image",
            vec![
                "exectrail".into(),
                "registry.example.com:5000/x@sha256:00".into(),
            ],
            vec!["".into(), "a b".into(), "x\n".into()],
            "white space",
        ),
        (
            "image_pull_policy",
            vec!["Always".into(), "IfNotPresent".into(), "Never".into()],
            vec!["".into(), "always".into(), "Sometimes".into()],
            "IfNotPresent",
        ),
        (
            "announce_with",
            vec!["curl".into(), "exectrail".into()],
            vec!["".into(), "wget".into()],
            "\"exectrail\"",
        ),
        (
            "announce_timeout_seconds",
            vec![1.into(), 900.into(), "60".into(), 86400.into()],
            vec![0.into(), (-1).into(), number(1.5), 86401.into()],
            "whole number",
        ),
        (
            "redact",
            vec!["off".into(), "known".into(), "values".into()],
            vec!["".into(), "all".into()],
            "none of off, known and values",
        ),
        (
            "hold_seconds",
            vec![0.into()],
            vec![(-1).into(), number(0.5), 86401.into()],
            "whole number",
        ),
        (
            "init_address",
            vec![
                "127.0.0.1:1".into(),
                "[::1]:56123".into(),
                "0.0.0.0:65535".into(),
                "255.249.199.109:9".into(),
                "10.0.99.100:10000".into(),
                "localhost:56123".into(),
            ],
            vec![
                "example.com:56123".into(),
                "localhost".into(),
                "127.0.0.1".into(),
                ":56123".into(),
                "127.0.0.1:x".into(),
                "127.0.0.1:0".into(),
                "localhost:65536".into(),
                "127.0.0.1:056123".into(),
                "256.0.0.1:56123".into(),
                "127.0.0.01:56123".into(),
                "127.0.0:56123".into(),
                "127.0.0.1:56123'; id; '".into(),
                "127.0.0.1:56123\n".into(),
            ],
            "127.0.0.1:56123",
        ),
        (
            "selinux_type",
            vec![Value::Null, "spc_t".into(), "my.type-1".into()],
            vec![
                "".into(),
                "a b".into(),
                "system_u:system_r:spc_t".into(),
                "spc_t\n".into(),
            ],
            "spc_t",
        ),
        (
            "args",
            vec![
                list(&[]),
                list(&["--max-argv-bytes=1MiB", "--exit-events", "--redact-key=/k"]),
            ],
            vec![
                list(&["--init-address=127.0.0.1:1"]),
                list(&["--exit-events", "--label"]),
                list(&["--label-file=/x"]),
                list(&["--label-file-key=a"]),
                list(&["--redact=off"]),
                list(&["--redact", "off"]),
                list(&["--state-dir=/x"]),
            ],
            "--init-address",
        ),
    ]
}

#[test]
fn both_ways() {
    for (name, right, wrong, said) in cases() {
        for value in right {
            if let Err(error) = module(&[(name, value.clone())]) {
                panic!("{name} = {value} is refused: {error}");
            }
        }
        for value in wrong {
            match module(&[(name, value.clone())]) {
                Err(Error::Invalid {
                    name: refused,
                    message,
                }) => {
                    assert_eq!(refused, name);
                    assert!(message.starts_with(name), "{message}");
                    // Messages are wrapped, so line breaks become blanks.
                    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
                    assert!(message.contains(said), "{said:?} is not in {message:?}");
                    assert!(
                        message.ends_with('.'),
                        "Terraform wants a sentence: {message}"
                    );
                }
                other => panic!("{name} = {value} is not refused: {other:?}"),
            }
        }
    }
}

#[test]
fn every_validation_is_tested() {
    let variables = text("module/variables.tf");
    let mut with_validation: Vec<&str> = variables
        .split("\nvariable \"")
        .skip(1)
        .filter(|variable| variable.contains("validation {"))
        .filter_map(|variable| variable.split('"').next())
        .collect();
    with_validation.sort_unstable();
    let mut tested: Vec<&str> = cases().iter().map(|(name, ..)| *name).collect();
    tested.sort_unstable();
    assert_eq!(with_validation, tested);
}

#[test]
fn what_has_no_default_must_be_given() {
    let error = exectrail_templates::manifests(
        exectrail_templates::Template::Kubernetes,
        &exectrail_templates::Workspace::example(),
        &exectrail_templates::Variables::new(),
    )
    .unwrap_err();
    assert!(matches!(error, Error::NoValue { .. }), "{error}");
}

#[test]
fn what_is_not_a_variable_is_refused() {
    let error = module(&[("imgae", "x".into())]).unwrap_err();
    let message = error.to_string();
    assert!(
        message.contains("\"imgae\"") && message.contains("image_pull_policy"),
        "{message}"
    );
}

#[test]
fn types_are_checked() {
    for (name, value) in [
        ("native_sidecar", Value::from("maybe")),
        ("args", "--x".into()),
        ("resources", map(&[("requests", "1")])),
        ("announce_timeout_seconds", "soon".into()),
    ] {
        let error = module(&[(name, value)]).unwrap_err();
        assert!(matches!(error, Error::WrongType { .. }), "{error}");
    }
}

/// Only exectrail can hold a workspace: with another client the variable would have no effect.
#[test]
fn holding_needs_exectrail_in_the_workspace() {
    for seconds in [1, 300] {
        let hold = ("hold_seconds", Value::from(seconds));
        let with = |client: &str| module(&[hold.clone(), ("announce_with", client.into())]);
        with("exectrail").unwrap();
        for refused in [with("curl"), module(std::slice::from_ref(&hold))] {
            let Err(Error::Precondition { name, message }) = refused else {
                panic!("{seconds} is not refused: {refused:?}");
            };
            assert_eq!(name, "init_script");
            assert!(message.contains("announce_with"), "{message}");
            assert!(
                message.trim_end().ends_with('.'),
                "Terraform wants a sentence: {message}"
            );
        }
    }
}

/// The sidecar would refuse longer labels, and the workspace would wait for it in vain.
#[test]
fn labels_leave_room_on_a_line() {
    let with = |label: String, args: &[&str]| {
        let labels = map(&[("a", &*label)]);
        module(&[("labels", labels), ("args", list(args))])
    };
    with("x".repeat(3_900), &[]).unwrap();
    with("x".repeat(5_000), &["--max-line-bytes=64KiB"]).unwrap();
    // The limit is a number of bytes, not of characters.
    for label in ["x".repeat(4_000), "é".repeat(2_000)] {
        let Err(Error::Precondition { message, .. }) = with(label, &[]) else {
            panic!("labels that are too long are not refused");
        };
        assert!(message.contains("--max-line-bytes"), "{message}");
    }
}
