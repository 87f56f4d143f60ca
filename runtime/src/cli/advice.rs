//! Advice in errors of the command line.

use clap::{
    Command,
    builder::StyledStr,
    error::{ContextKind, ContextValue, ErrorKind},
};

/// The error, with advice if a word is no sub-command of `program`. The advice is the similar
/// sub-commands that clap suggests, if any of them is not hidden. Otherwise it says how to trace
/// the word as a command.
pub(crate) fn advise(program: &Command, mut error: clap::Error) -> clap::Error {
    if error.kind() != ErrorKind::InvalidSubcommand {
        return error;
    }
    let is_visible = |name: &String| {
        let command = program.find_subcommand(name);
        command.is_some_and(|command| !command.is_hide_set())
    };
    let is_similar = match error.get(ContextKind::SuggestedSubcommand) {
        Some(ContextValue::Strings(names)) => names.iter().any(is_visible),
        _ => false,
    };
    if !is_similar {
        error.insert(ContextKind::SuggestedSubcommand, ContextValue::None);
        let advice = StyledStr::from("to trace a command: exectrail run -- COMMAND");
        error.insert(
            ContextKind::Suggested,
            ContextValue::StyledStrs(vec![advice]),
        );
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_no_sub_command_is_perhaps_a_command_to_trace() {
        let program = Command::new("exectrail")
            .subcommand(Command::new("preflight"))
            .subcommand(Command::new("man").hide(true));
        let said = |word| {
            let error = program.clone().try_get_matches_from(["exectrail", word]);
            advise(&program, error.unwrap_err()).to_string()
        };
        assert!(said("make").contains("tip: to trace a command: exectrail run -- COMMAND"));
        assert!(!said("make").contains("'man'"));
        assert!(said("prefligt").contains("'preflight'"));
    }
}
