//! Flags and environment variables: both give the same values, by the same grammar. But a variable
//! has to be valid UTF-8, also if it is a path.
//!
//! A variable that is set but empty counts as unset, because manifests and shells cannot always
//! omit a variable. Any other value that cannot be parsed is a usage error that names the variable.

use std::ffi::{OsStr, OsString};

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, Parser};

/// Why a variable cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum VariableError {
    /// Its value is not UTF-8 text.
    #[error("the environment variable {name} is not valid UTF-8")]
    NotText {
        /// The variable.
        name: &'static str,
    },
}

/// Parses the command line and the environment, or exits as clap does. `advise` may replace the
/// advice in clap's error.
pub fn parse<P: Parser>(advise: impl FnOnce(clap::Error) -> clap::Error) -> P {
    match try_parse() {
        Ok(parsed) => parsed,
        Err(Wrong::Clap(error)) => advise(error).exit(),
        Err(Wrong::Variable(complaint)) => {
            eprint!("error: {complaint}");
            std::process::exit(2);
        }
    }
}

/// The non-empty lines of a variable that holds a list.
///
/// # Errors
/// [`VariableError::NotText`].
pub fn lines(name: &'static str) -> Result<Vec<String>, VariableError> {
    let value = std::env::var_os(name).unwrap_or_default();
    let text = value
        .into_string()
        .map_err(|_| VariableError::NotText { name })?;
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    Ok(lines.map(str::to_owned).collect())
}

/// All variables of the flags of a command and its sub-commands.
pub fn variables(command: &Command) -> Vec<String> {
    let own = command.get_arguments().filter_map(clap::Arg::get_env);
    let mut names: Vec<String> = own
        .map(|name| name.to_string_lossy().into_owned())
        .chain(command.get_subcommands().flat_map(variables))
        .collect();
    names.sort();
    names.dedup();
    names
}

/// Variables with exectrail's prefix that are neither `known` nor Kubernetes' own. Kubernetes gives
/// a pod variables for each Service of its namespace, and a Service's name may begin with the
/// prefix.
pub fn unknown(known: &[String]) -> Vec<String> {
    let is_of_service = |name: &str| {
        ["_SERVICE_HOST", "_SERVICE_PORT", "_PORT_"]
            .iter()
            .any(|part| name.contains(part))
            || name.ends_with("_PORT")
    };
    let mut names: Vec<String> = std::env::vars_os()
        .map(|(name, _)| name.to_string_lossy().into_owned())
        .filter(|name| name.starts_with("EXECTRAIL_") && !is_of_service(name))
        .filter(|name| !known.contains(name))
        .collect();
    names.sort();
    names
}

enum Wrong {
    Clap(clap::Error),
    /// The error text, with a line break.
    Variable(String),
}

fn try_parse<P: Parser>() -> Result<P, Wrong> {
    let is_empty = |name: &OsStr| std::env::var_os(name).is_some_and(|value| value.is_empty());
    let parse = |without: Option<&OsStr>| {
        let ignored = |name: &OsStr| is_empty(name) || without == Some(name);
        let mut command = without_variables(P::command(), &ignored);
        command
            .try_get_matches_from_mut(std::env::args_os())
            .and_then(|matches| Ok((P::from_arg_matches(&matches)?, matches)))
            .map_err(shortened)
    };
    let set: Vec<OsString> = variables(&P::command())
        .into_iter()
        .map(OsString::from)
        .filter(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
        .collect();
    match parse(None) {
        Ok((parsed, matches)) => {
            // clap accepts any bytes as a path; a variable has to be text.
            let used = used_variables(&P::command(), &matches);
            match used.iter().find(|name| !is_text(name)) {
                Some(name) => Err(Wrong::Variable(not_text(name))),
                None => Ok(parsed),
            }
        }
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
            ) =>
        {
            Err(Wrong::Clap(error))
        }
        Err(error) => {
            // The faulty variable is the one whose removal removes this error.
            let complaint = error.to_string();
            let is_wrong = |name: &&OsString| match parse(Some(name)) {
                Ok(_) => true,
                Err(other) => other.to_string() != complaint,
            };
            Err(match set.iter().find(is_wrong) {
                Some(name) if !is_text(name) => Wrong::Variable(not_text(name)),
                Some(name) => {
                    let reason = complaint.strip_prefix("error: ").unwrap_or(&complaint);
                    let name = name.display();
                    Wrong::Variable(format!("in {name}: {reason}"))
                }
                None => Wrong::Clap(error),
            })
        }
    }
}

/// Maximum number of bytes of a value that an error quotes.
const QUOTED: usize = 200;

/// The error, with long values cut.
fn shortened(mut error: clap::Error) -> clap::Error {
    for kind in [ContextKind::InvalidValue, ContextKind::InvalidArg] {
        if let Some(ContextValue::String(value)) = error.get(kind)
            && value.len() > QUOTED
        {
            let beginning = value.get(..value.floor_char_boundary(QUOTED));
            let cut = format!("{}… ({} bytes)", beginning.unwrap_or_default(), value.len());
            error.insert(kind, ContextValue::String(cut));
        }
    }
    error
}

/// Whether a variable is valid UTF-8, or not set.
fn is_text(name: &OsStr) -> bool {
    std::env::var_os(name).is_none_or(|value| value.to_str().is_some())
}

fn not_text(name: &OsStr) -> String {
    format!(
        "the environment variable {} is not valid UTF-8\n",
        name.display()
    )
}

/// The variables of the command that the user chose.
fn used_variables(command: &Command, matches: &clap::ArgMatches) -> Vec<OsString> {
    if let Some((name, matches)) = matches.subcommand()
        && let Some(sub) = command.find_subcommand(name)
    {
        return used_variables(sub, matches);
    }
    let own = command.get_arguments().filter_map(clap::Arg::get_env);
    own.map(OsStr::to_owned).collect()
}

/// The command, with `ignored` variables removed from its flags.
fn without_variables(command: Command, ignored: &dyn Fn(&OsStr) -> bool) -> Command {
    command
        .mut_args(|arg| {
            if arg.get_env().is_some_and(ignored) {
                arg.env(Resettable::Reset)
            } else {
                arg
            }
        })
        .mut_subcommands(|sub| without_variables(sub, ignored))
}
