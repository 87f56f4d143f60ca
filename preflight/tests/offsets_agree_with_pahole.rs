//! Compares the offsets of `--format json` with those that pahole reads from the running kernel.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that fails should stop where it failed"
)]
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::process::Command;

use exectrail_testbed::skip::skip;
use serde_json::Value;

const BTF: &str = "/sys/kernel/btf/vmlinux";

/// A struct as pahole prints it.
#[derive(Default)]
struct Struct {
    size: Option<u64>,
    /// By name of each member, also those of anonymous structs and unions: its offset, and the text
    /// in front of its name.
    members: BTreeMap<String, (u64, String)>,
}

/// pahole's output so far, by struct: each run of pahole takes a while.
#[derive(Default)]
struct Pahole(BTreeMap<String, Struct>);

impl Pahole {
    fn strukt(&mut self, name: &str) -> &Struct {
        self.0.entry(name.to_owned()).or_insert_with(|| {
            let pahole = Command::new("pahole").args(["-C", name, BTF]).output();
            parse(&String::from_utf8_lossy(&pahole.unwrap().stdout))
        })
    }

    /// The offset of a dotted path: the sum of the offsets of its parts.
    fn offset(&mut self, strukt: &str, path: &str) -> Option<u64> {
        let mut strukt = strukt.to_owned();
        let mut sum = 0;
        for part in path.split('.') {
            let (offset, ty) = self.strukt(&strukt).members.get(part)?;
            sum += offset;
            let named = ty
                .trim_start_matches("const ")
                .trim_start_matches("struct ");
            strukt = named.to_owned();
        }
        Some(sum)
    }
}

/// Parses pahole's output. It has one member per line, as `TYPE NAME; /* OFFSET SIZE */`. A
/// member that is a struct has several lines: `struct {`, its own members, and `} NAME; /* … */`.
fn parse(printed: &str) -> Struct {
    let mut found = Struct::default();
    // The members in each open brace; the first is the struct itself.
    let mut open: Vec<Vec<(String, u64, String)>> = Vec::new();
    for line in printed.lines().map(str::trim) {
        if let Some(rest) = line.strip_prefix("/* size: ") {
            found.size = rest.split(',').next().and_then(|size| size.parse().ok());
        } else if line.ends_with('{') {
            open.push(Vec::new());
        } else if let Some((declaration, comment)) = line.split_once("/*") {
            let mut numbers = comment.split_whitespace();
            let offset = numbers.next().and_then(|number| number.split(':').next());
            let Some(Ok(offset)) = offset.map(str::parse) else {
                continue;
            };
            let declaration = declaration.trim().trim_end_matches(';');
            let closed = declaration.strip_prefix('}');
            let (ty, name) = name_of(closed.unwrap_or(declaration));
            if closed.is_some() {
                let inside = open.pop().unwrap();
                // The members of a named member can be reached only by its name.
                if name.is_empty() {
                    open.last_mut().unwrap().extend(inside);
                }
            }
            if !name.is_empty() {
                open.last_mut().unwrap().push((name, offset, ty));
            }
        }
    }
    let members = open.into_iter().next().unwrap_or_default();
    found.members = members
        .into_iter()
        .map(|(name, offset, ty)| (name, (offset, ty)))
        .collect();
    found
}

/// Type and name of a declaration: `struct x * name[2] __attribute__((…))`, `int (*name)(void)`.
fn name_of(declaration: &str) -> (String, String) {
    let declaration = declaration.split("__attribute__").next().unwrap().trim();
    let declaration = declaration.split('[').next().unwrap();
    match declaration.split_once("(*") {
        Some((ty, rest)) => (ty.to_owned(), rest.split(')').next().unwrap().to_owned()),
        None => {
            let (ty, name) = declaration
                .rsplit_once([' ', '*'])
                .unwrap_or(("", declaration));
            (ty.trim().to_owned(), name.to_owned())
        }
    }
}

#[test]
fn every_listed_offset_is_the_one_that_pahole_prints() {
    let test = "every_listed_offset_is_the_one_that_pahole_prints";
    if std::fs::metadata(BTF).is_err() {
        return skip(test, "the kernel has no BTF").unwrap();
    }
    if Command::new("pahole").arg("--version").output().is_err() {
        return skip(test, "there is no pahole here").unwrap();
    }
    let output = Command::new(env!("CARGO_BIN_EXE_exectrail-preflight"))
        .args(["--format", "json"])
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let listed = report["offsets"].as_array().unwrap();
    assert_eq!(listed.len(), exectrail_preflight::offsets::FIELD_COUNT);
    let mut pahole = Pahole::default();
    let mut compared = 0;
    for field in listed {
        let strukt = field["struct"].as_str().unwrap();
        let (expected, found) = match field["member"].as_str() {
            Some(member) => (field["offset"].as_u64(), pahole.offset(strukt, member)),
            None => (field["size"].as_u64(), pahole.strukt(strukt).size),
        };
        assert_eq!(expected, found, "{field}");
        compared += u64::from(found.is_some());
    }
    // A few of the fields exist only in other kernels.
    assert!(compared + 5 > listed.len() as u64, "{compared}");
}

#[test]
fn anonymous_members_are_the_structs_own() {
    let printed = "struct outer {\n\tint a; /* 0 4 */\n\tunion {\n\t\tint * b; /* 8 8 */\n\
        \t\tstruct {\n\t\t\tint c[2]; /* 8 8 */\n\t\t}; /* 8 8 */\n\t}; /* 8 8 */\n\
        \tstruct {\n\t\tint hidden; /* 16 4 */\n\t} d; /* 16 4 */\n\
        \tvoid (*e)(int); /* 24 8 */\n\tunsigned int f:1; /* 32: 0 4 */\n\
        \n\t/* size: 40, cachelines: 1, members: 6 */\n};\n";
    let found = parse(printed);
    let offsets: Vec<(&str, u64)> = found
        .members
        .iter()
        .map(|(name, (offset, _))| (name.as_str(), *offset))
        .collect();
    assert_eq!(found.size, Some(40));
    assert_eq!(
        offsets,
        [
            ("a", 0),
            ("b", 8),
            ("c", 8),
            ("d", 16),
            ("e", 24),
            ("f:1", 32)
        ]
    );
}
