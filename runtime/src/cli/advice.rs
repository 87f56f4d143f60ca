//! What an error of the command line advises.

use clap::{
    CommandFactory as _,
    builder::StyledStr,
    error::{ContextKind, ContextValue, ErrorKind},
};

use super::Cli;

/// The advice for a word that is no sub-command: one that is similar and not hidden, or else how to
/// trace the word as a command.
pub(crate) fn advise(mut error: clap::Error) -> clap::Error {
    if error.kind() != ErrorKind::InvalidSubcommand {
        return error;
    }
    let similar = match error.get(ContextKind::SuggestedSubcommand) {
        Some(ContextValue::Strings(names)) => {
            names.iter().filter(|name| is_visible(name)).collect()
        }
        _ => Vec::new(),
    };
    if similar.is_empty() {
        error.insert(ContextKind::SuggestedSubcommand, ContextValue::None);
        let advice = StyledStr::from("to trace a command: exectrail run -- COMMAND");
        error.insert(
            ContextKind::Suggested,
            ContextValue::StyledStrs(vec![advice]),
        );
    }
    error
}

fn is_visible(name: &str) -> bool {
    let command = Cli::command();
    let found = command.find_subcommand(name);
    found.is_some_and(|command| !command.is_hide_set())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[test]
    fn a_word_that_is_no_sub_command_is_perhaps_a_command_to_trace() {
        let said = |word| {
            let error = Cli::try_parse_from(["exectrail", word]).unwrap_err();
            advise(error).to_string()
        };
        assert!(said("make").contains("tip: to trace a command: exectrail run -- COMMAND"));
        assert!(!said("make").contains("'man'"));
        assert!(said("prefligt").contains("'preflight'"));
    }
}
