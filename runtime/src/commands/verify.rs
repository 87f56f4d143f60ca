//! `exectrail verify`: reads a log and reports whether every exec is accounted for.

use std::{
    fmt::Write as _,
    fs::File,
    io::{self, BufRead, BufReader},
    path::Path,
    process::ExitCode,
};

use crate::{
    audit::{Audit, Run},
    cli::VerifyArgs,
    process::stdio::print,
};

/// Maximum number of faults shown per run.
const SHOWN: usize = 20;

/// Reads the log; exits with 0 if it has no faults, otherwise with 1.
pub(crate) fn main(args: &VerifyArgs) -> ExitCode {
    let name = args.log.display();
    let audit = if args.log == Path::new("-") {
        read(io::stdin().lock())
    } else {
        File::open(&args.log).and_then(|file| read(BufReader::new(file)))
    };
    let runs = match audit {
        Ok(audit) => audit.finish(),
        Err(error) => {
            eprintln!("exectrail verify: cannot read {name}: {error}");
            return ExitCode::FAILURE;
        }
    };
    if runs.is_empty() {
        eprintln!("exectrail verify: {name} has no lines");
        return ExitCode::FAILURE;
    }
    let mut report = String::new();
    for (number, run) in (1..).zip(&runs) {
        describe(&mut report, number, run);
    }
    let written = print(report.as_bytes());
    if runs.iter().all(|run| run.faults.is_empty()) {
        written
    } else {
        ExitCode::FAILURE
    }
}

fn read(mut log: impl BufRead) -> io::Result<Audit> {
    let mut audit = Audit::default();
    let mut line = Vec::new();
    while log.read_until(b'\n', &mut line)? > 0 {
        audit.read(line.strip_suffix(b"\n").unwrap_or(&line));
        line.clear();
    }
    Ok(audit)
}

/// A time, or `?` if no line has one.
fn or_unknown(ts: &str) -> &str {
    if ts.is_empty() { "?" } else { ts }
}

fn describe(report: &mut String, number: u32, run: &Run) {
    let mut notes = Vec::new();
    if !run.has_beginning {
        notes.push("the log does not have its beginning");
    }
    if !run.has_end {
        notes.push("it is still running, or was killed");
    }
    let suppressed = match run.suppressed {
        0 => String::new(),
        count => format!(", {count} suppressed"),
    };
    // Writing to a string does not fail.
    let _ = writeln!(
        report,
        "run {number}, {} to {}: {} execs, {} lost{suppressed}{}{}",
        or_unknown(&run.first),
        or_unknown(&run.last),
        run.execs,
        run.lost,
        if notes.is_empty() { "" } else { "; " },
        notes.join("; "),
    );
    for fault in run.faults.iter().take(SHOWN) {
        let _ = writeln!(report, "  fault: {fault}");
    }
    if let Some(more) = run.faults.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        let _ = writeln!(report, "  and {more} more faults");
    }
    if run.faults.is_empty() {
        let _ = writeln!(report, "  every exec is accounted for");
    }
}
