//! The command `show`, which writes lines of the log in columns, or unchanged with `--json`.

mod columns;
mod details;

use std::{
    io::{self, BufWriter, Write},
    process::ExitCode,
};

use clap::{Args, ValueEnum};

use crate::{
    filter::{Filter, FilterArgs},
    follow::{Naming, follow},
    labels::LabelCache,
    output::{finish, or_stop},
    parallel::read_all,
    reading::{Consumer, Files},
    record::Record,
    source::Stop,
};

use columns::{Column, Row};

pub(crate) use columns::push_time;
pub(crate) use details::{push_notes, seconds};

/// When to write colors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR, CLICOLOR or CLICOLOR_FORCE says otherwise.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    /// Whether standard output gets colors.
    pub(crate) fn is_on(self) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => {
                anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never
            }
        }
    }
}

/// Flags of `show`.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    files: Files,

    /// Columns, separated by commas
    #[arg(
        long,
        value_name = "COLUMNS",
        value_delimiter = ',',
        default_value = "time,user,workspace,pid,uid,comm,text"
    )]
    columns: Vec<Column>,

    /// Write matching lines of the log unchanged, for other programs
    #[arg(long, conflicts_with = "columns")]
    json: bool,

    /// Wait for further lines after the last one, even if the file is rotated
    #[arg(long, short)]
    follow: bool,

    /// When to write colors
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    color: Color,

    #[command(flatten)]
    pub(crate) filters: FilterArgs,
}

/// Runs the command.
pub(crate) fn main(program: &str, args: ShowArgs) -> ExitCode {
    let files = if args.follow {
        args.files.files
    } else {
        let Some(files) = args.files.list(program) else {
            return ExitCode::FAILURE;
        };
        files
    };
    let filter = if args.follow {
        Filter::live(args.filters)
    } else {
        Filter::of(program, args.filters, &files)
    };
    let mut show = Show {
        filter,
        labels: LabelCache::default(),
        row: (!args.json).then(|| Row::new(args.columns, args.color.is_on())),
        out: BufWriter::with_capacity(64 * 1024, io::stdout()),
        error: None,
    };
    let is_read = if args.follow {
        follow(program, &files, &mut show, Naming::AtOnce)
    } else {
        read_all(program, &files, &mut show)
    };
    let _ = show.pause();
    show.filter.report(program);
    finish(program, show.error.map_or(Ok(()), Err), is_read)
}

struct Show<W: Write> {
    filter: Filter,
    labels: LabelCache,
    /// `None` writes the lines of the log unchanged.
    row: Option<Row>,
    out: W,
    error: Option<io::Error>,
}

impl<W: Write> Show<W> {
    /// Keeps an error, and ends the reading.
    fn check(&mut self, result: io::Result<()>) -> Result<(), Stop> {
        or_stop(result, &mut self.error)
    }
}

impl<W: Write> Consumer for Show<W> {
    fn record(&mut self, record: &Record<'_>, line: &[u8]) -> Result<(), Stop> {
        let labels = self.labels.get(record.fields.labels);
        if !self.filter.wants(record, &labels) {
            return Ok(());
        }
        let written = match &mut self.row {
            // Only `verify` needs checkpoints.
            Some(_) if *record.msg == *"checkpoint" && !self.filter.names(&record.msg) => Ok(()),
            Some(row) => self.out.write_all(row.of(record, &labels, line).as_bytes()),
            None => self
                .out
                .write_all(line)
                .and_then(|()| self.out.write_all(b"\n")),
        };
        self.check(written)
    }

    fn pause(&mut self) -> Result<(), Stop> {
        let flushed = self.out.flush();
        self.check(flushed)
    }

    fn writes_at_once(&self) -> bool {
        true
    }
}
