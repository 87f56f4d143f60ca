//! The command `report`, which writes a page about a log in one file.
//!
//! Each exec is a row. Columns of numbers hold the data that the page needs of all rows. The texts
//! are in blocks, which a browser decompresses only to show or search them. The source of the page
//! is in `page/`.

mod blocks;
mod column;
mod details;
mod gaps;
mod names;
mod page;
mod rows;

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use serde_json::json;
use tempfile::NamedTempFile;

use crate::{
    argv::Argv,
    filter::{Filter, FilterArgs},
    labels::LabelCache,
    output::finish,
    parallel::read_all,
    reading::{Consumer, Files},
    record::Record,
    replacement::{Replacement, replaced_by},
    runs::{Runs, TreePlace},
    source::{SourceError, Stop, files_of, name_of},
    time::microseconds,
    workspaces::Workspaces,
};

use blocks::{Blocks, write_part};
use column::Columns;
use gaps::LineOrigin;
use rows::Rows;

/// Flags of `report`.
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    #[command(flatten)]
    files: Files,

    /// The file to write
    #[arg(long, short, value_name = "FILE", default_value = "report.html")]
    output: PathBuf,

    /// The title of the report
    #[arg(long, value_name = "TEXT", default_value = "What was executed")]
    title: String,

    #[command(flatten)]
    pub(crate) filters: FilterArgs,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
enum ReportError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("{0} is a file of the log, which the report would replace: name another file with -o")]
    IsInput(String),
    #[error("a report is a file: name one with -o, such as report.html")]
    IsStdout,
    #[error("cannot write the report to {0}: {1}")]
    Output(String, io::Error),
    #[error("no exec could be read, so {0} is not written")]
    Nothing(String),
}

/// Runs the command.
pub(crate) fn main(program: &str, args: ReportArgs) -> ExitCode {
    match report(program, args) {
        Ok(status) => status,
        Err(error) => {
            eprintln!("{program}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn report(program: &str, args: ReportArgs) -> Result<ExitCode, ReportError> {
    let files = files_of(&args.files.files)?;
    let output = args.output;
    if let Some(input) = replaced_by(&files, &output) {
        return Err(ReportError::IsInput(name_of(input)));
    }
    if output == Path::new("-") {
        return Err(ReportError::IsStdout);
    }
    let failed = |error| ReportError::Output(name_of(&output), error);
    let replacement = Replacement::of(&output).map_err(failed)?;
    let mut building = Building {
        filter: Filter::of(program, args.filters, &files),
        labels: LabelCache::default(),
        workspaces: Workspaces::default(),
        runs: Runs::default(),
        rows: Rows::default(),
        blocks: Blocks::new(replacement.directory()).map_err(failed)?,
    };
    let is_read = read_all(program, &files, &mut building);
    building.filter.report(program);
    if !is_read && building.rows.len() == 0 {
        return Err(ReportError::Nothing(name_of(&output)));
    }
    let files = files.iter().map(|file| name_of(file));
    let about = json!({
        "title": args.title,
        "files": files.collect::<Vec<_>>(),
        "version": env!("CARGO_PKG_VERSION"),
        "is_whole": is_read,
    });
    // Command lines can contain secrets, so only the owner may read the page.
    let mut file = replacement.file(0o600).map_err(failed)?;
    let rows = building.rows.len();
    building.write(&mut file, about).map_err(failed)?;
    replacement.put(file).map_err(failed)?;
    let said = format!("{}: {rows} execs\n", name_of(&output));
    let written = io::stdout().write_all(said.as_bytes());
    Ok(finish(program, written, is_read))
}

struct Building {
    filter: Filter,
    labels: LabelCache,
    workspaces: Workspaces,
    runs: Runs,
    rows: Rows,
    blocks: Blocks,
}

impl Building {
    /// Writes the page.
    fn write(self, file: &mut NamedTempFile, mut about: serde_json::Value) -> io::Result<()> {
        let (mut texts, begins) = self.blocks.finish()?;
        let mut columns = Columns::default();
        let (since, until) = self.filter.period();
        let [since, until] = [since, until].map(|time| time.and_then(microseconds));
        let rest = self
            .rows
            .finish(&mut columns, &self.workspaces, &self.runs, (since, until));
        about["filters"] = json!(self.filter.text());
        about["columns"] = json!(columns.shapes);
        about["blocks"] = json!(begins);
        about["workspaces"] = json!(rest.workspaces);
        about["gaps"] = rest.gaps;
        about["programs"] = json!(rest.programs);
        let page = page::page();
        let mut out = io::BufWriter::with_capacity(256 * 1024, file);
        out.write_all(page.head.as_bytes())?;
        write_part(&mut out, "about", about.to_string().as_bytes())?;
        write_part(&mut out, "columns", &columns.bytes)?;
        // The script comes before the texts, so that it can show the first rows early.
        out.write_all(page.script.as_bytes())?;
        io::copy(&mut texts, &mut out)?;
        out.write_all(page.end.as_bytes())?;
        out.flush()
    }

    fn exec(&mut self, origin: &LineOrigin, record: &Record<'_>, line: &[u8]) -> io::Result<()> {
        let Some(event) = &record.fields.event else {
            return Ok(());
        };
        let has_failed = *record.msg == *"exec_failed";
        self.rows.exec(origin, event, has_failed);
        let argv = Argv::of(record, line);
        let text = match &record.fields.cmdline {
            _ if has_failed => {
                let filename = event.filename.as_deref().unwrap_or("?");
                format!("{} {filename}", event.error.as_deref().unwrap_or("?"))
            }
            Some(cmdline) if argv.is_cmdline_the_text() => cmdline.to_string(),
            _ => argv.text(),
        };
        // Further lines of the exec follow its first line.
        let end = memchr::memchr(b'\n', line).filter(|_| record.lines > 1);
        let first = line.get(..end.unwrap_or(line.len())).unwrap_or_default();
        self.blocks
            .add(&text, &String::from_utf8_lossy(first), &argv)
    }
}

impl Consumer for Building {
    fn record(&mut self, record: &Record<'_>, line: &[u8]) -> Result<(), Stop> {
        let labels = self.labels.get(record.fields.labels);
        let seen = self.runs.take(record, &labels);
        if !self.filter.is_in_scope(record, &labels) {
            return Ok(());
        }
        let is_wanted = self.filter.wants(record, &labels);
        let (workspace, TreePlace { tree, boot }) =
            self.runs.locate(&seen, &labels, &mut self.workspaces);
        if self.filter.is_in_period(record) {
            self.runs.show(seen.run);
        }
        let origin = LineOrigin {
            tree,
            boot,
            workspace,
            seen,
        };
        self.rows.line(&origin, record);
        let written = match (&*record.msg, &record.fields.event) {
            ("exec" | "exec_failed", Some(_)) if is_wanted => self.exec(&origin, record, line),
            ("exit", Some(event)) => {
                self.rows.exit(&origin, event);
                Ok(())
            }
            _ => Ok(()),
        };
        // `Blocks::finish` returns the error.
        written.map_err(|_| Stop)
    }
}
