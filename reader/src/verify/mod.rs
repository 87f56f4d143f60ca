//! The command `verify`: reads a log and reports whether a line is missing, doubled, moved or
//! changed.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, IsTerminal as _, Read as _, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use exectrail_proof::{PublicKey, SigningKeyError};

use crate::{
    audit::{Audit, Certificate, Demands},
    output::print,
};

mod args;
mod describe;

use describe::describe;

pub use args::VerifyArgs;

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

/// Reads the log; exits with 0 if it has no faults, otherwise with 1. `program` is the name of the
/// program, for messages.
pub fn main(program: &str, args: &VerifyArgs) -> ExitCode {
    match verify(program, args) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{program} verify: {error}");
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

fn verify(program: &str, args: &VerifyArgs) -> Result<ExitCode, VerifyError> {
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
    let written = print(program, describe(&report, &demands).as_bytes());
    if !report.is_right() {
        if let Some(path) = &args.certificate {
            let path = path.display();
            eprintln!("{program} verify: the log has faults, so {path} is not written");
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
