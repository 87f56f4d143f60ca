//! The command `convert`, which writes the log in formats of other programs. docs/convert.md lists
//! the keys.

mod ecs;
mod event;
mod ocsf;
mod perfetto;
mod trace;

use std::{
    fs::File,
    io::{self, BufWriter, IsTerminal as _, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, ValueEnum};

use crate::{
    filter::{Filter, FilterArgs},
    labels::LabelCache,
    output::{finish, or_stop},
    parallel::read_all,
    reading::{Consumer, Files},
    record::Record,
    replacement::replaced_by,
    source::{Stop, name_of},
};

use event::{Converted, RunOrigins};
use perfetto::Perfetto;

/// A format of another program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Elastic Common Schema: JSON lines.
    Ecs,
    /// Open Cybersecurity Schema Framework: JSON lines.
    Ocsf,
    /// A trace for Perfetto, in protobuf, with a track for each process.
    Perfetto,
}

/// Flags of `convert`.
#[derive(Debug, Args)]
pub(crate) struct ConvertArgs {
    #[command(flatten)]
    files: Files,

    /// The format to write
    #[arg(long, value_name = "FORMAT")]
    to: Format,

    /// The file to write; - writes to standard output
    #[arg(long, short, value_name = "FILE", default_value = "-")]
    output: PathBuf,

    #[command(flatten)]
    pub(crate) filters: FilterArgs,
}

/// Runs the command.
pub(crate) fn main(program: &str, args: ConvertArgs) -> ExitCode {
    let Some(files) = args.files.list(program) else {
        return ExitCode::FAILURE;
    };
    let is_stdout = args.output == Path::new("-");
    if is_stdout && args.to == Format::Perfetto && io::stdout().is_terminal() {
        eprintln!("{program}: a trace is not text: name a file with -o");
        return ExitCode::FAILURE;
    }
    if let Some(input) = replaced_by(&files, &args.output) {
        let input = name_of(input);
        eprintln!("{program}: {input} is a file of the log: name another file with -o");
        return ExitCode::FAILURE;
    }
    let out: Box<dyn Write + Send> = if is_stdout {
        Box::new(io::stdout())
    } else {
        match File::create(&args.output) {
            Ok(file) => Box::new(file),
            Err(error) => {
                let output = name_of(&args.output);
                eprintln!("{program}: cannot write to {output}: {error}");
                return ExitCode::FAILURE;
            }
        }
    };
    let mut converting = Converting {
        filter: Filter::of(program, args.filters, &files),
        labels: LabelCache::default(),
        origins: RunOrigins::default(),
        format: args.to,
        perfetto: Perfetto::default(),
        out: BufWriter::with_capacity(256 * 1024, out),
        is_stdout,
        error: None,
    };
    let is_read = read_all(program, &files, &mut converting);
    converting.filter.report(program);
    let ended = match converting.format {
        Format::Perfetto => converting.perfetto.finish(&mut converting.out),
        Format::Ecs | Format::Ocsf => Ok(()),
    };
    let written = ended.and_then(|()| converting.out.flush());
    finish(program, converting.error.map_or(written, Err), is_read)
}

struct Converting<W: Write> {
    filter: Filter,
    labels: LabelCache,
    origins: RunOrigins,
    format: Format,
    perfetto: Perfetto,
    out: BufWriter<W>,
    is_stdout: bool,
    error: Option<io::Error>,
}

impl<W: Write> Converting<W> {
    fn check(&mut self, written: io::Result<()>) -> Result<(), Stop> {
        or_stop(written, &mut self.error)
    }
}

impl<W: Write> Consumer for Converting<W> {
    fn record(&mut self, record: &Record<'_>, line: &[u8]) -> Result<(), Stop> {
        self.origins.line(record);
        let labels = self.labels.get(record.fields.labels);
        let is_wanted = self.filter.wants(record, &labels);
        // In a trace, the slice of an exec ends at the next exec or the exit of its process. The
        // filters may leave that event out.
        let is_end = self.format == Format::Perfetto
            && matches!(&*record.msg, "exec" | "exit")
            && self.filter.is_in_scope(record, &labels);
        if !is_wanted && !is_end {
            return Ok(());
        }
        let Some(event) = Converted::of(record, &labels, line, &self.origins) else {
            return Ok(());
        };
        let written = match self.format {
            Format::Perfetto if !is_wanted => self.perfetto.end_of(&event, &mut self.out),
            Format::Ecs => writeln!(self.out, "{}", ecs::document(&event)),
            Format::Ocsf => writeln!(self.out, "{}", ocsf::event(&event)),
            Format::Perfetto => self.perfetto.event(&event, &mut self.out),
        };
        self.check(written)
    }

    fn pause(&mut self) -> Result<(), Stop> {
        let flushed = self.out.flush();
        self.check(flushed)
    }

    fn writes_at_once(&self) -> bool {
        self.is_stdout
    }
}
