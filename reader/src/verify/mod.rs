//! The command `verify`, which reports whether a line of a log is missing, doubled, moved or
//! changed.

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use exectrail_proof::{PublicKey, SigningKeyError};

use crate::{
    audit::{Audit, Certificate, Demands},
    output::print,
    progress::Progress,
    replacement::{Replacement, replaced_by},
    source::{
        Input, Line, LineNumber, Lines, Sink, SourceError, Stop, Unreadable, files_of, name_of,
    },
};

mod args;
mod describe;

use describe::{FileLines, describe};

pub use args::VerifyArgs;

/// An error of `verify` that is not a fault of the log.
#[derive(Debug, thiserror::Error)]
enum VerifyError {
    #[error(transparent)]
    Key(#[from] SigningKeyError),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("{name} has no lines")]
    Empty { name: String },
    #[error("{name} has no line of a run, so there is nothing to verify")]
    NoRun { name: String },
    #[error("{0} is a file of the log, which the certificate would replace")]
    IsInput(String),
    #[error("cannot write the certificate {name}: {source}")]
    Certificate { name: String, source: io::Error },
}

/// Verifies the log. The exit code is 0 if the log has no faults, and 1 if it has faults or if an
/// error occurs. Messages begin with `program`.
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
    let demands = demands(args)?;
    let logs = files_of(&args.logs)?;
    let certificate = args.certificate.as_deref();
    if let Some(input) = certificate.and_then(|path| replaced_by(&logs, path)) {
        return Err(VerifyError::IsInput(name_of(input)));
    }
    let names: Vec<String> = logs.iter().map(|path| name_of(path)).collect();
    let name = names.join(", ");
    let (audit, files) = read(&logs, Audit::new(demands.clone()))?;
    let report = audit.finish();
    if files.last().is_none_or(|file| file.last == 0) && report.is_right() {
        return Err(VerifyError::Empty { name });
    }
    if report.runs.is_empty() && report.is_right() {
        return Err(VerifyError::NoRun { name });
    }
    let written = print(program, describe(&report, &demands, &files).as_bytes());
    if !report.is_right() {
        if let Some(path) = &args.certificate {
            let path = name_of(path);
            eprintln!("{program} verify: the log has faults, so {path} is not written");
        }
        return Ok(ExitCode::FAILURE);
    }
    if let Some(path) = &args.certificate {
        write_certificate(path, &Certificate::new(name, &demands, &report)).map_err(|source| {
            VerifyError::Certificate {
                name: name_of(path),
                source,
            }
        })?;
    }
    Ok(written)
}

fn write_certificate(path: &Path, certificate: &Certificate<'_>) -> io::Result<()> {
    let mut text = serde_json::to_vec_pretty(certificate)?;
    text.push(b'\n');
    let replacement = Replacement::of(path)?;
    let mut file = replacement.file(0o666)?;
    file.write_all(&text)?;
    file.as_file().sync_all()?;
    replacement.put(file)
}

/// Reads the files of a log in their order. Returns which lines are in which file.
fn read(paths: &[PathBuf], audit: Audit) -> Result<(Audit, Vec<FileLines>), SourceError> {
    let mut sink = Auditing {
        audit,
        progress: Progress::new(),
    };
    let mut lines = Lines::counting_on();
    let mut files = Vec::new();
    for path in paths {
        let input = Input::open(path, Arc::default())?;
        // The audit never stops the reading.
        let last = input.read(&mut lines, &mut sink)?;
        files.push(FileLines {
            name: name_of(path),
            last: last.unwrap_or_default(),
        });
    }
    let _ = lines.finish(&mut sink);
    sink.progress.end();
    Ok((sink.audit, files))
}

/// Gives lines to the audit.
struct Auditing {
    audit: Audit,
    progress: Progress,
}

impl Sink for Auditing {
    fn line(&mut self, line: Line<'_>) -> Result<(), Stop> {
        if line.is_diagnostic {
            self.audit.read_diagnostic(line.number, line.bytes);
        } else {
            self.audit.read(line.number, line.bytes);
        }
        Ok(())
    }

    fn unreadable(&mut self, number: LineNumber, why: Unreadable) {
        self.audit.unreadable(number, why.to_string());
    }

    fn pause(&mut self, bytes: usize) -> Result<(), Stop> {
        self.progress.add(bytes);
        Ok(())
    }
}
