//! `exectrail verify`: reads a log and reports whether a line is missing, doubled, moved or
//! changed.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::{self, BufRead, BufReader, IsTerminal as _, Read as _, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use crate::{
    audit::{Audit, Certificate, Demands, Faults, Report, Run},
    cli::VerifyArgs,
    process::stdio::print,
    proof::{PublicKey, SigningKeyError},
};

/// No line of exectrail is longer: an argv of 6 MiB takes at most twelve times its size.
const LONGEST_LINE: u64 = 128 * 1024 * 1024;

/// Period of showing the progress on a terminal.
const PROGRESS: Duration = Duration::from_secs(1);

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
enum VerifyError {
    #[error(transparent)]
    Key(#[from] SigningKeyError),
    #[error("cannot read {name}: {source}")]
    Read { name: String, source: io::Error },
    #[error("{name} has no lines")]
    Empty { name: String },
    #[error("cannot write the certificate {}: {source}", path.display())]
    Certificate { path: PathBuf, source: io::Error },
}

/// Reads the log; exits with 0 if it has no faults, otherwise with 1.
pub(crate) fn main(args: &VerifyArgs) -> ExitCode {
    match verify(args) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("exectrail verify: {error}");
            ExitCode::FAILURE
        }
    }
}

fn demands(args: &VerifyArgs) -> Result<Demands, SigningKeyError> {
    Ok(Demands {
        key: args.key.as_deref().map(PublicKey::open).transpose()?,
        until: args.until,
        head: args.expect_head,
        partial: args.partial,
        rewritten: args.rewritten,
    })
}

fn verify(args: &VerifyArgs) -> Result<ExitCode, VerifyError> {
    let name = args.log.display().to_string();
    let demands = demands(args)?;
    let mut audit = Audit::new(demands.clone());
    let read = if args.log == Path::new("-") {
        read(&mut audit, io::stdin().lock())
    } else {
        File::open(&args.log).and_then(|file| read(&mut audit, BufReader::new(file)))
    };
    if let Err(source) = read {
        return Err(VerifyError::Read { name, source });
    }
    if audit.lines() == 0 {
        return Err(VerifyError::Empty { name });
    }
    let report = audit.finish();
    let written = print(describe(&report, &demands).as_bytes());
    if !report.is_right() {
        if let Some(path) = &args.certificate {
            let path = path.display();
            eprintln!("exectrail verify: the log has faults, so {path} is not written");
        }
        return Ok(ExitCode::FAILURE);
    }
    if let Some(path) = &args.certificate {
        write_certificate(path, &Certificate::new(name, &demands, &report)).map_err(|source| {
            VerifyError::Certificate {
                path: path.clone(),
                source,
            }
        })?;
    }
    Ok(written)
}

/// Replaces the file at once, so that no reader finds half of it.
fn write_certificate(path: &Path, certificate: &Certificate<'_>) -> io::Result<()> {
    let mut text = serde_json::to_vec_pretty(certificate)?;
    text.push(b'\n');
    let mut next = path.as_os_str().to_owned();
    next.push(".new");
    let mut file = File::create(&next)?;
    file.write_all(&text)?;
    file.sync_all()?;
    fs::rename(next, path)
}

fn read(audit: &mut Audit, mut log: impl BufRead) -> io::Result<()> {
    let mut progress = Progress::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        let bytes = log
            .by_ref()
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut line)?;
        if bytes == 0 {
            break;
        }
        progress.add(bytes, audit.lines());
        match line.strip_suffix(b"\n") {
            Some(line) => audit.read(line),
            None if bytes as u64 == LONGEST_LINE => {
                audit.read_too_long();
                log.skip_until(b'\n')?;
            }
            None => audit.read(&line),
        }
    }
    progress.end();
    Ok(())
}

/// Shows on a terminal how much is read.
struct Progress {
    is_shown: bool,
    bytes: usize,
    shown_at: Instant,
    any: bool,
}

impl Progress {
    fn new() -> Self {
        Self {
            is_shown: io::stderr().is_terminal(),
            bytes: 0,
            shown_at: Instant::now(),
            any: false,
        }
    }

    fn add(&mut self, bytes: usize, lines: u64) {
        self.bytes += bytes;
        if self.is_shown && lines.is_multiple_of(1024) && self.shown_at.elapsed() >= PROGRESS {
            self.shown_at = Instant::now();
            self.any = true;
            eprint!("\r{lines} lines, {} MB", self.bytes / 1_000_000);
        }
    }

    fn end(&self) {
        if self.any {
            eprint!("\r\x1b[K");
        }
    }
}

/// A time, or `?` if no line has one.
fn or_unknown(ts: &str) -> &str {
    if ts.is_empty() { "?" } else { ts }
}

fn describe(report: &Report, demands: &Demands) -> String {
    let mut text = String::new();
    for (number, run) in (1..).zip(&report.runs) {
        describe_run(&mut text, number, run, demands);
    }
    if !report.faults.is_empty() {
        text.push_str("the log\n");
        describe_faults(&mut text, &report.faults);
    }
    text
}

fn describe_run(text: &mut String, number: u32, run: &Run, demands: &Demands) {
    let mut notes = Vec::new();
    if !run.has_beginning {
        notes.push("the log does not have its beginning");
    }
    if !run.has_end && run.has_successor {
        notes.push("it was killed");
    } else if !run.has_end {
        notes.push("it is still running, or was killed, or its end is missing");
    }
    let id = run
        .id
        .as_deref()
        .map_or(String::new(), |id| format!(" ({id})"));
    let mut counts = String::new();
    for (count, name) in [
        (run.exits(), "exits"),
        (run.execs_failed(), "failed execs"),
        (run.others_lost(), "exits and failed execs lost"),
        (run.suppressed(), "suppressed"),
    ] {
        if count > 0 {
            // Writing to a string does not fail.
            let _ = write!(counts, ", {count} {name}");
        }
    }
    let _ = writeln!(
        text,
        "run {number}{id}, {} to {}: {} execs, {} lost{counts}{}{}",
        or_unknown(&run.first),
        or_unknown(&run.last),
        run.execs(),
        run.lost(),
        if notes.is_empty() { "" } else { "; " },
        notes.join("; "),
    );
    describe_proof(text, run, demands);
    if run.faults.is_empty() {
        let _ = writeln!(text, "  every exec is accounted for");
    } else {
        describe_faults(text, &run.faults);
    }
}

/// What the checkpoints prove, and what is not checked.
fn describe_proof(text: &mut String, run: &Run, demands: &Demands) {
    match run.proven() {
        Some(proven) => {
            let by = match demands.key {
                Some(_) => "signed",
                None => "self-attested",
            };
            let _ = writeln!(
                text,
                "  complete until {} ({by}, line {}); head {}",
                proven.complete_until, proven.line, proven.head
            );
            if run.lines_after_checkpoint > 0 {
                let _ = writeln!(
                    text,
                    "  not proved: the {} lines after the last checkpoint",
                    run.lines_after_checkpoint
                );
            }
        }
        None if demands.rewritten => {
            let _ = writeln!(text, "  not checked: hashes and signatures (--rewritten)");
        }
        None => {
            let _ = writeln!(
                text,
                "  no checkpoint proves anything: a changed byte or a missing end does not show"
            );
        }
    }
    if run.unnumbered_lines > 0 {
        let _ = writeln!(
            text,
            "  {} lines have no number: of these only `exec`, `exit` and `exec_failed` are checked",
            run.unnumbered_lines
        );
    }
    if run.unnumbered_events() > 0 {
        let _ = writeln!(
            text,
            "  {} events have no `seq`: their order is not checked",
            run.unnumbered_events()
        );
    }
}

fn describe_faults(text: &mut String, faults: &Faults) {
    for fault in &faults.first {
        let _ = writeln!(text, "  fault: {fault}");
    }
    if faults.more > 0 {
        let _ = writeln!(text, "  and {} more faults", faults.more);
    }
}
