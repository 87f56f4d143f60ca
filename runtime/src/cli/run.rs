//! Flags of `run`.

use std::{
    ffi::OsString,
    io::{IsTerminal as _, stderr},
    path::PathBuf,
};

use clap::{Args, ValueEnum, ValueHint};

use super::RecordingArgs;
use crate::config::{Config, OutputFormat, Screen, SinkPath, ValueError};

/// When to write colors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless the environment says otherwise
    #[default]
    Auto,
    /// Always; a file or pipe then also gets the layout of a terminal
    Always,
    /// Never
    Never,
}

impl Color {
    /// Whether standard error gets colors.
    fn is_on(self) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => anstream::AutoStream::choice(&stderr()) != anstream::ColorChoice::Never,
        }
    }
}

/// Flags of `run`.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// How to write events
    ///
    /// On a terminal, text shows each program below the one that started it. The line of a program
    /// has the time since the start, in seconds, and the process id. Elsewhere the line of an exec
    /// has the date and time, both process ids, the user id and the caller's comm.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub output: OutputFormat,

    /// Append events to a file, created with mode 0600; by default they go to standard error
    ///
    /// exectrail-log reads the file if it was written with --output json.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub log: Option<PathBuf>,

    /// When to write colors (text on standard error only)
    ///
    /// `auto` follows NO_COLOR, CLICOLOR and CLICOLOR_FORCE. `always`, like CLICOLOR_FORCE=1, also
    /// gives a pipe the layout that a terminal gets.
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub color: Color,

    /// Show long command lines whole; on a terminal they are cut at its width, with a `…`
    #[arg(long)]
    pub full: bool,

    /// Show only the counts at the end (text on standard error only)
    #[arg(long, short, conflicts_with = "log")]
    pub quiet: bool,

    /// Run the command as this user, a name or a number, with that user's groups
    ///
    /// Under sudo the default is the user who called sudo (SUDO_UID); `--user root` keeps root.
    /// HOME, USER, LOGNAME and SHELL are those of the user. MAIL is removed and, for the user who
    /// called sudo, so are sudo's variables (SUDO_UID and others). All other variables stay.
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Username)]
    pub user: Option<String>,

    /// What is recorded, and how.
    #[command(flatten)]
    pub recording: RecordingArgs,

    /// The command to trace, and its arguments
    #[arg(
        trailing_var_arg = true,
        required = true,
        value_name = "COMMAND",
        value_hint = ValueHint::CommandWithArguments
    )]
    pub command: Vec<OsString>,
}

impl RunArgs {
    /// The checked configuration. Its sink is standard error; if --log is given, `commands/run.rs`
    /// replaces it.
    ///
    /// # Errors
    /// - A value in the environment is invalid.
    /// - A file cannot be used.
    /// - Values of flags do not go together, such as `--quiet` with JSON.
    pub(crate) fn config(&self) -> Result<Config, ValueError> {
        if self.quiet && self.output == OutputFormat::Json {
            return Err(ValueError::QuietJson);
        }
        let mut config = self.recording.config(self.output, SinkPath::Stderr)?;
        config.screen = self.screen();
        config.is_quiet = self.quiet;
        Ok(config)
    }

    /// The layout for a terminal, if the lines go to a terminal or are to have colors.
    fn screen(&self) -> Option<Screen> {
        if self.output == OutputFormat::Json || self.log.is_some() {
            return None;
        }
        let is_colored = self.color.is_on();
        (is_colored || stderr().is_terminal()).then_some(Screen {
            is_colored,
            is_full: self.full,
        })
    }
}
