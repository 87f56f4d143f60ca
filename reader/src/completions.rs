//! The script with which a shell completes the command line of `exectrail-log`.

use clap::Command;
use clap_complete::Shell;

/// The script for a shell, of all commands that are not hidden.
pub(crate) fn script(shell: Shell, program: &'static str, all: &Command) -> String {
    let visible = all
        .get_subcommands()
        .filter(|command| !command.is_hide_set());
    let mut command = Command::new(program)
        .version(env!("CARGO_PKG_VERSION"))
        .subcommands(visible.cloned());
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, program, &mut script);
    let script = String::from_utf8_lossy(&script);
    // clap's script for bash is wrong if the name has a hyphen. It sets `exectrail__log__subcmd…`,
    // but looks for `exectrail__subcmd__log__subcmd…`.
    script.replace("exectrail__subcmd__log", "exectrail__log")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bash_knows_the_flags_of_each_command_and_no_hidden_command() {
        let all = Command::new("exectrail-log")
            .subcommand(Command::new("show"))
            .subcommand(Command::new("man").hide(true));
        let script = script(Shell::Bash, "exectrail-log", &all);
        let name = "exectrail__log__subcmd__show";
        assert!(script.contains(&format!("cmd=\"{name}\"")));
        assert!(script.contains(&format!("{name})")));
        assert!(!script.contains("subcmd__man"));
    }
}
