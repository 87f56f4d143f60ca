//! Tests of suppressed execs, on this kernel.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use exectrail_testbed::log::{argv, execs, msg};
use exectrail_vm_tests::Plan;
use serde_json::Value;

use crate::{
    machine::{
        exectrail_run::run_and_listen, privileges::COMMAND, runtime::SELF, verifier::verified,
    },
    report::Report,
    tests::{Test, tests, tracing::VERIFIER_BUDGET},
};

/// The tests of this group.
pub(crate) const TESTS: &[Test] = tests![
    what_is_excluded_is_counted,
    what_is_too_fast_is_counted,
    the_verifier_is_not_overworked_by_options,
];

/// `argv[0]` of each exec, and the number of suppressed execs by rule or rate.
fn account(lines: &[Value]) -> (Vec<String>, BTreeMap<String, u64>) {
    let seen = execs(lines)
        .iter()
        .map(|event| argv(event).swap_remove(0).to_owned())
        .collect();
    let mut suppressed = BTreeMap::new();
    for line in lines.iter().filter(|line| msg(line) == "suppressed") {
        let fields = &line["fields"];
        let cause = fields["rule"].as_str().or(fields["rate"].as_str());
        *suppressed
            .entry(cause.unwrap_or_default().to_owned())
            .or_default() += fields["count"].as_u64().unwrap_or_default();
    }
    (seen, suppressed)
}

fn expect(flags: &[&str], script: &str, seen: &[&str], suppressed: &[(&str, u64)]) -> Result<()> {
    let (lines, _) = run_and_listen(flags, &["/bin/sh", "-c", script])?;
    let (were_seen, were_suppressed) = account(&lines);
    let expected: BTreeMap<String, u64> = suppressed
        .iter()
        .map(|(cause, count)| ((*cause).to_owned(), *count))
        .collect();
    ensure!(
        were_seen == seen && were_suppressed == expected,
        "{flags:?}: expected {seen:?} and {expected:?}, but there are {were_seen:?} and \
         {were_suppressed:?}"
    );
    let stopped = &lines[lines.len() - 1]["fields"];
    let sum: u64 = expected.values().sum();
    ensure!(
        stopped["suppressed"] == sum && stopped["execs"] == seen.len(),
        "{flags:?}: the last line says {stopped}"
    );
    Ok(())
}

pub(crate) fn what_is_excluded_is_counted(_: &Plan, _: &Report) -> Result<()> {
    let script = format!(
        "/bin/true; /bin/true; /bin/../bin/true; /bin/id >/dev/null; \
         /bin/env /bin/uname; /bin/env /bin/ls >/dev/null; {SELF} {COMMAND} --uid=1 -- /bin/cat"
    );
    // A rule without `*` does not match longer names, `..` in a path is not resolved, and an
    // inclusion takes precedence.
    expect(
        &[
            "--exclude=filename=/bin/tr*",
            "--exclude=filename=/bin/i",
            "--exclude=comm=env",
            "--exclude=filename=*/id",
            "--exclude=uid=1",
            "--include=filename=/bin/l*",
        ],
        &script,
        &[
            "/bin/sh",
            "/bin/../bin/true",
            "/bin/env",
            "/bin/env",
            "/bin/ls",
            SELF,
        ],
        &[
            ("filename=/bin/tr*", 2),
            ("comm=env", 1),
            ("filename=*/id", 1),
            ("uid=1", 1),
        ],
    )
}

fn what_is_too_fast_is_counted(_: &Plan, _: &Report) -> Result<()> {
    expect(
        &["--rate-limit=1/h", "--rate-burst=3"],
        "/bin/true; /bin/id >/dev/null; /bin/true; /bin/true; /bin/true",
        &["/bin/sh", "/bin/true", "/bin/id"],
        &[("1/h", 3)],
    )
}

fn the_verifier_is_not_overworked_by_options(_: &Plan, report: &Report) -> Result<()> {
    let flags = [
        "--exclude=filename=/bin/*",
        "--exclude=filename=*/id",
        "--exclude=comm=env",
        "--exclude=uid=1",
        "--rate-limit=1/s",
        "--failed-execs",
        "--fields=all",
    ];
    let counts = verified(&flags)?;
    ensure!(counts.contains_key("exec"), "no exec: {counts:?}");
    for (name, count) in counts {
        let shown = match &*name {
            "exec" => "exec with all keys and limits",
            name if name.starts_with("failed") => name,
            _ => continue,
        };
        report.figure(format!("verifier, {shown}"), count, "instructions");
        ensure!(
            count <= VERIFIER_BUDGET,
            "the verifier processed {count} instructions of {shown}, more than {VERIFIER_BUDGET}"
        );
    }
    Ok(())
}
