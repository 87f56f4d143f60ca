//! Reads exectrail's logs, on any machine and without privileges.
//!
//! `source` finds exectrail's lines in files of runtimes and collectors. `cli` is the command line
//! of the program `exectrail-log`. Each command is a module. The commands share `parallel`,
//! `reading`, `record`, `filter`, `labels` and others. `verify` is also the command
//! `exectrail verify`, and `audit` finds the faults of a log.
#![forbid(unsafe_code)]

mod argv;
mod audit;
mod cli;
mod completions;
mod convert;
mod filter;
mod follow;
mod forest;
mod labels;
mod long_argv;
mod output;
mod parallel;
mod progress;
mod reading;
mod record;
mod replacement;
mod report;
mod runs;
mod show;
mod shown;
mod source;
mod terminal;
mod time;
mod top;
mod tree;
mod verify;
mod width;
mod workspaces;

pub use audit::Audit;
pub use cli::main;
pub use source::{Line, LineNumber, Lines, Sink, Stop, Unreadable};
pub use verify::{VerifyArgs, main as verify};
pub use width::{beginning, columns};
