//! `exectrail completions`: prints the script with which a shell completes the command line.

use std::process::ExitCode;

use clap::{Args as _, Command, CommandFactory as _};
use clap_complete::Shell;

use crate::{
    cli::{Cli, SidecarArgs},
    process::stdio::print,
};

/// Runs the command.
pub(crate) fn main(shell: Shell) -> ExitCode {
    print(&script(shell))
}

fn script(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut for_users(), "exectrail", &mut script);
    // clap's scripts for bash and fish offer nothing after `--`.
    match shell {
        Shell::Bash => script.extend_from_slice(BASH.as_bytes()),
        Shell::Fish => script.extend_from_slice(FISH.as_bytes()),
        _ => {}
    }
    script
}

/// The command line without hidden commands, which clap's scripts would offer.
fn for_users() -> Command {
    let all = Cli::command();
    let visible = all
        .get_subcommands()
        .filter(|command| !command.is_hide_set());
    SidecarArgs::augment_args(Command::new("exectrail"))
        .version(env!("CARGO_PKG_VERSION"))
        .subcommands(visible.cloned())
}

/// After `--`: commands, and then the completion that bash-completion has for the command, or
/// files.
const BASH: &str = r#"
__exectrail_complete() {
    local i
    for ((i = 1; i < COMP_CWORD; i++)); do
        [[ ${COMP_WORDS[i]} == -- ]] || continue
        if declare -F _comp_command_offset >/dev/null; then
            _comp_command_offset $((i + 1))
        elif declare -F _command_offset >/dev/null; then
            _command_offset $((i + 1))
        else
            COMPREPLY=()
            ((COMP_CWORD > i + 1)) || mapfile -t COMPREPLY < <(compgen -c -- "$2")
        fi
        return
    done
    _exectrail "$@"
}
complete -F __exectrail_complete -o bashdefault -o default exectrail
"#;

/// After `--`: what fish would offer if the rest of the line stood alone.
const FISH: &str = r#"
function __exectrail_complete_command
    set -l words (commandline -opc)
    set -l at (contains -i -- -- $words)
    set -l rest (string escape -- $words[(math $at + 1)..-1])
    complete -C (string join ' ' -- $rest (commandline -ct))
end
complete -c exectrail -n 'contains -- -- (commandline -opc)' -x -a '(__exectrail_complete_command)'
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_commands_are_not_offered() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let script = String::from_utf8(script(shell)).unwrap();
            assert!(script.contains("preflight"), "{shell}");
            for hidden in ["pid-ns-init", "pid__ns__init", "exectrail man"] {
                assert!(!script.contains(hidden), "{shell} offers {hidden}");
            }
        }
    }
}
