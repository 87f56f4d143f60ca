//! The command `top`, which counts what was executed.

mod by;
mod counts;
mod live;
mod table;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::Args;

use crate::{
    filter::{Filter, FilterArgs},
    output::finish,
    parallel::read_all,
    reading::Files,
};

use by::By;
use table::Top;

/// Flags of `top`.
#[derive(Debug, Args)]
pub(crate) struct TopArgs {
    #[command(flatten)]
    files: Files,

    /// The keys to count by, separated by commas: execs are counted for each combination
    #[arg(
        long,
        value_name = "KEYS",
        value_delimiter = ',',
        default_value = "exe"
    )]
    by: Vec<By>,

    /// Maximum number of rows
    #[arg(long, short = 'n', value_name = "NUMBER", default_value_t = 20)]
    rows: usize,

    /// Show the counts as they change, until q is pressed; the files are followed
    ///
    /// On a terminal the table is drawn each second. Otherwise it is written every ten seconds, if
    /// it has changed.
    #[arg(long, short)]
    follow: bool,

    #[command(flatten)]
    pub(crate) filters: FilterArgs,
}

/// Runs the command.
pub(crate) fn main(program: &str, args: TopArgs) -> ExitCode {
    if args.follow {
        let top = Top::new(args.by, Filter::live(args.filters));
        return live::main(program, &args.files.files, top, args.rows);
    }
    let Some(files) = args.files.list(program) else {
        return ExitCode::FAILURE;
    };
    let filter = Filter::of(program, args.filters, &files);
    let mut top = Top::new(args.by, filter);
    let is_read = read_all(program, &files, &mut top);
    top.filter.report(program);
    let text = top.table(args.rows);
    finish(program, io::stdout().write_all(text.as_bytes()), is_read)
}
