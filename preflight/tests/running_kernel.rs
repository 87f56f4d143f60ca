//! Tests on the running kernel: compares our offsets with those of another BTF reader, and the
//! trials with the results of the other checks. If the kernel or the privileges do not suffice, the
//! test prints what it skips.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that fails should stop where it failed"
)]
#![forbid(unsafe_code)]

use std::process::Command;
use std::time::{Duration, Instant};

use btfparse::{Error, ErrorKind, Offset, Readable, TypeInformation, TypeVariant};
use exectrail_common::offsets::ABSENT;
use exectrail_preflight::{Id, Options, Report, Verdict, offsets, run};

const BTF: &str = "/sys/kernel/btf/vmlinux";

/// BTF bytes, in the type that the other reader takes.
struct Bytes(Vec<u8>);

impl Readable for Bytes {
    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), Error> {
        let start = offset as usize;
        let part = self.0.get(start..start + buffer.len());
        let part = part.ok_or_else(|| Error::new(ErrorKind::IOError, "past the end"))?;
        buffer.copy_from_slice(part);
        Ok(())
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn verdict(report: &Report, id: Id) -> Verdict {
    report.check(id).unwrap().verdict
}

/// Also compares the files that `EXECTRAIL_TEST_BTF` names, separated by colons: the BTF of other
/// kernels.
#[test]
fn offsets_agree_with_those_of_another_reader() {
    let more = std::env::var("EXECTRAIL_TEST_BTF").unwrap_or_default();
    for path in [BTF]
        .into_iter()
        .chain(more.split(':').filter(|path| !path.is_empty()))
    {
        match std::fs::read(path) {
            Ok(bytes) => offsets_agree(path, bytes),
            Err(error) => eprintln!("skipped: {path}: {error}"),
        }
    }
}

fn offsets_agree(path: &str, bytes: Vec<u8>) {
    let start = Instant::now();
    let resolved = offsets::resolve(&bytes).unwrap();
    let took = start.elapsed();
    eprintln!(
        "{path}: {} types in {} bytes took {took:?}",
        resolved.types,
        bytes.len()
    );
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert!(resolved.missing.is_empty(), "{:?}", resolved.missing);

    let other = TypeInformation::new(&Bytes(bytes)).unwrap();
    let structs: Vec<(u32, String)> = other
        .get()
        .iter()
        .filter(|(_, variant)| matches!(variant, TypeVariant::Struct(_)))
        .filter_map(|(id, _)| Some((*id, other.name_of(*id)?)))
        .collect();
    let mut compared = 0;
    for (strukt, member, value) in offsets::named(&resolved.offsets) {
        compared += 1;
        // Kernels differ in a few fields. If a kernel lacks a field, the other reader must find
        // none of the field's paths.
        let paths: Vec<&str> = member
            .into_iter()
            .flat_map(|paths| paths.split('|'))
            .collect();
        let found = structs
            .iter()
            .filter(|(_, name)| name == strukt)
            .find_map(|(id, _)| {
                if paths.is_empty() {
                    return other.size_of(*id).ok().map(|s| s as u32);
                }
                paths
                    .iter()
                    .find_map(|path| match other.offset_of(*id, path).ok()?.1 {
                        Offset::ByteOffset(offset) => Some(offset),
                        offset => panic!("{strukt}.{path}: {offset:?}"),
                    })
            });
        let expected = (value != ABSENT).then_some(value);
        assert_eq!(found, expected, "{strukt}.{member:?}");
    }
    assert_eq!(compared, offsets::FIELD_COUNT);
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn trials_agree_with_the_capabilities() {
    let report = run(&Options::default());
    eprintln!("{}", report.format(exectrail_preflight::Format::Text));
    if !Options::default().roots.are_live() {
        eprintln!("skipped: /proc or /sys is not mounted here");
        return;
    }
    assert_ne!(verdict(&report, Id::Bpf), Verdict::NotApplicable);
    let may = [Id::Kernel, Id::Btf, Id::Capabilities, Id::UserNamespace]
        .iter()
        .all(|id| verdict(&report, *id) == Verdict::Ok);
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    if !may || !status.contains("Seccomp:\t0") {
        eprintln!("skipped: this machine does not let the tests use BPF");
        return;
    }
    assert_eq!(
        verdict(&report, Id::Bpf),
        Verdict::Ok,
        "{:?}",
        report.check(Id::Bpf)
    );
    assert!(report.kernel().is_some());
}

/// Runs the program as root, by the command `wrapper`. Returns its output, as JSON, and its exit
/// status.
fn with(wrapper: &[&str]) -> Option<(serde_json::Value, i32)> {
    let tool = wrapper[0];
    if !is_root() {
        eprintln!("skipped: {tool} needs root");
        return None;
    }
    let command = Command::new(tool)
        .args(&wrapper[1..])
        .args([
            env!("CARGO_BIN_EXE_exectrail-preflight"),
            "--format",
            "json",
        ])
        .output();
    let Ok(output) = command else {
        eprintln!("skipped: there is no {tool} here");
        return None;
    };
    let Ok(json) = serde_json::from_slice(&output.stdout) else {
        eprintln!(
            "skipped: {tool}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        return None;
    };
    Some((json, output.status.code().unwrap()))
}

fn of<'a>(json: &'a serde_json::Value, id: &str) -> &'a serde_json::Value {
    let checks = json["checks"].as_array().unwrap();
    checks.iter().find(|check| check["id"] == id).unwrap()
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn bpf_and_perfmon_suffice() {
    let Some((json, code)) = with(&["setpriv", "--bounding-set=-all,+bpf,+perfmon"]) else {
        return;
    };
    if of(&json, "kernel")["verdict"] != "ok" || of(&json, "btf")["verdict"] != "ok" {
        eprintln!("skipped: the kernel is not one that the tracer runs on");
        return;
    }
    if std::fs::read_to_string("/proc/self/status")
        .unwrap()
        .contains("Seccomp:\t0")
    {
        assert_eq!(
            (of(&json, "bpf")["verdict"].as_str(), code),
            (Some("ok"), 0),
            "{json:#}"
        );
    }
    assert_eq!(of(&json, "capabilities")["verdict"], "ok", "{json:#}");
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn without_capabilities_the_trials_are_denied_and_the_reason_is_named() {
    for set in [
        "--bounding-set=-all",
        "--bounding-set=-all,+bpf",
        "--bounding-set=-all,+perfmon",
    ] {
        let Some((json, code)) = with(&["setpriv", set]) else {
            return;
        };
        assert_eq!(code, 1, "{json:#}");
        assert_eq!(of(&json, "capabilities")["verdict"], "unmet", "{json:#}");
        assert_eq!(of(&json, "bpf")["verdict"], "unmet", "{json:#}");
        let summary = of(&json, "bpf")["summary"].as_str().unwrap();
        assert!(summary.contains("capabilities"), "{summary}");
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn in_a_user_namespace_all_capabilities_are_worth_nothing() {
    let Some((json, code)) = with(&["unshare", "--user", "--map-root-user"]) else {
        return;
    };
    assert_eq!(code, 1, "{json:#}");
    assert_eq!(of(&json, "capabilities")["verdict"], "ok", "{json:#}");
    assert_eq!(of(&json, "user_namespace")["verdict"], "unmet", "{json:#}");
    assert_eq!(of(&json, "bpf")["verdict"], "unmet", "{json:#}");
    assert!(
        of(&json, "bpf")["remedy"]
            .as_str()
            .unwrap()
            .contains("hostUsers"),
        "{json:#}"
    );
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn an_older_release_from_uname_is_believed() {
    let Some((json, code)) = with(&["setarch", "--uname-2.6"]) else {
        return;
    };
    assert_eq!(code, 1, "{json:#}");
    assert_eq!(of(&json, "kernel")["verdict"], "unmet", "{json:#}");
}
