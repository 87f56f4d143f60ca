//! The command line of `exectrail-log`. The commands are documented here, and their flags in the
//! modules of the commands. Help, completions and man pages are generated from these texts.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{
    CommandFactory as _, Parser, Subcommand,
    builder::StyledStr,
    error::{ContextKind, ContextValue, ErrorKind},
};
use clap_complete::Shell;

use crate::{
    completions,
    convert::{self, ConvertArgs},
    filter::FilterArgs,
    output::print,
    report::{self, ReportArgs},
    show::{self, ShowArgs},
    top::{self, TopArgs},
    tree::{self, TreeArgs},
    verify::{self, VerifyArgs},
};

/// The name of the program, for messages.
const PROGRAM: &str = "exectrail-log";

/// Reads the logs of exectrail.
///
/// It needs no privilege, and runs on any machine. A log is any number of files in their order, or
/// standard input. Lines may be plain, from `kubectl logs` (also with --prefix or --timestamps),
/// from container runtimes (CRI, Docker's json-file), or from collectors. A collector's records
/// must have the line in a key, like the records of Fluent Bit, Vector and `logcli -o jsonl`.
/// Events of CloudWatch must be one JSON object per line. Each file may be compressed with gzip or
/// zstd. A directory stands for the files of a container, oldest first. The kubelet keeps such
/// files in /var/log/pods/NAMESPACE_POD_UID/CONTAINER. Lines that cannot be read are counted and
/// named, and reading continues.
#[derive(Debug, Parser)]
#[command(name = PROGRAM, version, after_long_help = AFTER_LONG_HELP)]
struct Cli {
    /// What to do.
    #[command(subcommand)]
    command: Command,
}

const AFTER_LONG_HELP: &str = "\
Examples:
  # what did jessie execute in the last hour?
  kubectl logs deploy/workspace -c exectrail | exectrail-log show --user jessie --since 1h

  # is a line missing, doubled, moved or changed?
  exectrail-log verify /var/log/pods/*/exectrail

Exit status:
  0  success
  1  a file cannot be read to its end or written, the files are no log, or the log has faults
     (verify). Except in verify, single lines that cannot be read do not change the status
  2  wrong usage
";

const SHOW_EXAMPLES: &str = "\
Examples:
  # uploads by curl, with their arguments
  exectrail-log show --exe curl --argv '(^| )(-T|--upload-file)( |$)' exectrail.log

  # what process 4711 and its descendants executed, as lines for jq
  exectrail-log show --under 4711 --msg exec --json exectrail.log | jq .fields.event.argv

  # as it happens
  exectrail-log show --follow /var/log/pods/*/exectrail/0.log

The text of all lines but `exec` begins with `*`. If filters choose processes, `lost` and
`suppressed` lines are shown, too, because the events that they count may match.
";

const TREE_EXAMPLES: &str = "\
Examples:
  # what a build started
  exectrail-log tree --under 4711 exectrail.log

  # one workspace, from three to four o'clock
  exectrail-log tree --workspace apache --since 2026-11-26T15:00:00Z --until 2026-11-26T16:00:00Z \
    exectrail.log.gz

  # where each curl came from
  exectrail-log tree --exe curl exectrail.log

  # as it happens
  exectrail-log tree --follow /var/log/pods/*/exectrail/0.log
";

const REPORT_EXAMPLES: &str = "\
Examples:
  # a page about a log, to open in a browser
  exectrail-log report -o report.html exectrail.log

  # what jessie executed between two days ago and one day ago, for somebody else to read
  exectrail-log report --user jessie --since 2d --until 1d --title 'Jessie, Thursday' exectrail.log

The file has all that the log says about each exec, and needs no network. Current browsers show it.
";

const CONVERT_EXAMPLES: &str = "\
Examples:
  # for Elasticsearch, one document per line
  exectrail-log convert --to ecs exectrail.log

  # for a security data lake
  exectrail-log convert --to ocsf --since 1d exectrail.log

  # a timeline for Perfetto's viewer
  exectrail-log convert --to perfetto -o build.pftrace exectrail.log

Of exectrail's lines, exec, exec_failed, exit, lost and suppressed are converted. docs/convert.md
has each key.
";

const TOP_EXAMPLES: &str = "\
Examples:
  # the programs of the last day
  exectrail-log top --since 1d exectrail.log

  # who executes most, and where
  exectrail-log top --by user,workspace exectrail.log

  # what starts compilers
  exectrail-log top --by parent --exe cc1 exectrail.log

  # as it changes
  exectrail-log top --follow /var/log/pods/*/exectrail/0.log
";

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the lines of a log, each as one row of columns
    #[command(after_long_help = SHOW_EXAMPLES)]
    Show(Box<ShowArgs>),
    /// Show which process started which
    ///
    /// A process is identified by its id and its start. Later execs of the same process follow
    /// `=>`. A `*` marks failed execs, ends of processes, and what the log lacks, such as lost
    /// execs. Filters choose processes. The processes above them are shown, too.
    #[command(after_long_help = TREE_EXAMPLES)]
    Tree(Box<TreeArgs>),
    /// Show what was executed most, and how often
    #[command(after_long_help = TOP_EXAMPLES)]
    Top(Box<TopArgs>),
    /// Write a page for a browser: timeline, processes, tables and search, in one file
    ///
    /// The page also shows lost and suppressed execs, missing lines, and times in which nothing was
    /// recorded. The file is self-contained: the page loads nothing and sends nothing.
    #[command(after_long_help = REPORT_EXAMPLES)]
    Report(Box<ReportArgs>),
    /// Write the log in a format of other programs: ECS, OCSF or Perfetto
    #[command(after_long_help = CONVERT_EXAMPLES)]
    Convert(Box<ConvertArgs>),
    /// Check that no line is missing, doubled, moved or changed; the same as `exectrail verify`
    Verify(VerifyArgs),
    /// Print a completion script for a shell
    Completions {
        /// The shell to complete for
        shell: Shell,
    },
    /// Write the man pages to a directory, for packages
    #[command(hide = true)]
    Man {
        /// The directory; created if it does not exist
        directory: PathBuf,
    },
}

impl Command {
    fn filters(&self) -> Option<&FilterArgs> {
        match self {
            Self::Show(args) => Some(&args.filters),
            Self::Tree(args) => Some(&args.filters),
            Self::Top(args) => Some(&args.filters),
            Self::Report(args) => Some(&args.filters),
            Self::Convert(args) => Some(&args.filters),
            Self::Verify(_) | Self::Completions { .. } | Self::Man { .. } => None,
        }
    }
}

/// Parses the command line and runs the command.
pub fn main() -> ExitCode {
    let cli = Cli::try_parse().unwrap_or_else(|error| advised(error).exit());
    if let Some(filters) = cli.command.filters()
        && let Some(contradiction) = filters.contradiction()
    {
        Cli::command()
            .error(ErrorKind::ArgumentConflict, contradiction)
            .exit();
    }
    match cli.command {
        Command::Show(args) => show::main(PROGRAM, *args),
        Command::Tree(args) => tree::main(PROGRAM, *args),
        Command::Top(args) => top::main(PROGRAM, *args),
        Command::Report(args) => report::main(PROGRAM, *args),
        Command::Convert(args) => convert::main(PROGRAM, *args),
        Command::Verify(args) => verify::main(PROGRAM, &args),
        Command::Completions { shell } => print(
            PROGRAM,
            completions::script(shell, PROGRAM, &Cli::command()).as_bytes(),
        ),
        Command::Man { directory } => man(&directory),
    }
}

/// If the user gives a file instead of a sub-command, suggests the command that shows the file.
fn advised(mut error: clap::Error) -> clap::Error {
    let word = error.get(ContextKind::InvalidSubcommand);
    if let Some(ContextValue::String(word)) = word
        && Path::new(word).exists()
    {
        let advice = StyledStr::from("to show a log: exectrail-log show FILE");
        error.insert(
            ContextKind::Suggested,
            ContextValue::StyledStrs(vec![advice]),
        );
        error.insert(ContextKind::SuggestedSubcommand, ContextValue::None);
    }
    error
}

fn man(directory: &Path) -> ExitCode {
    let written = fs::create_dir_all(directory)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), directory));
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let directory = directory.display();
            eprintln!("{PROGRAM}: cannot write man pages to {directory}: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
