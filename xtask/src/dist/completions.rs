//! Checks the completions of a release with the shells that read them.

use std::env;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::package::COMPLETIONS;
use crate::{command, progress};

/// A name for a program on PATH. No other program has this name.
const PROGRAM: &str = "zz-completed-program";

/// Time after which a shell that waits for its terminal is killed.
const PATIENCE: Duration = Duration::from_secs(60);

/// Checks that each shell reads its scripts, and completes commands, the program after
/// `exectrail run --`, and flags of `exectrail-log`. Reports shells that are not installed.
pub(super) fn check(top: &Path) -> Result<()> {
    let bin = tempfile::tempdir()?;
    let program = bin.path().join(PROGRAM);
    fs::write(&program, "#!/bin/sh\n")?;
    fs::set_permissions(&program, Permissions::from_mode(0o755))?;
    for (program, shell, path) in COMPLETIONS {
        if command::find(shell).is_none() {
            progress::warning(format_args!(
                "completions for {shell} are not checked: it is not installed"
            ));
            continue;
        }
        let script = top.join(path);
        let script = script.to_str().context("a path that is not UTF-8")?;
        let completed = |line: &str, whole: &str| -> Result<()> {
            let mut ask = asking(shell, program, script, line);
            let path = env::var_os("PATH").unwrap_or_default();
            let dirs = [bin.path().to_owned()];
            let dirs = dirs.into_iter().chain(env::split_paths(&path));
            ask.env("PATH", env::join_paths(dirs)?);
            let offered = command::output_within(PATIENCE, &mut ask)?;
            ensure!(
                offered.contains(whole),
                "{shell} completes `{line}` to {offered:?}, not to {whole}"
            );
            Ok(())
        };
        if program == "exectrail" {
            completed("exectrail pref", "preflight")?;
            completed("exectrail run -- zz-comp", PROGRAM)?;
        } else {
            completed("exectrail-log ver", "verify")?;
            completed("exectrail-log show --js", "--json")?;
        }
    }
    Ok(())
}

/// A command that makes a shell complete the last word of `line`, and print what it offers.
fn asking(shell: &str, program: &str, script: &str, line: &str) -> Command {
    let mut ask = command::new(shell);
    match shell {
        // `complete -p` prints `complete … -F FUNCTION PROGRAM`.
        "bash" => ask.args([
            "--norc",
            "-c",
            "source \"$1\"; registered=$(complete -p \"$2\"); function=${registered##*-F }; \
             read -ra COMP_WORDS <<<\"$3\"; COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); \
             \"${function% *}\" \"$2\" \"${COMP_WORDS[COMP_CWORD]}\" \
             \"${COMP_WORDS[COMP_CWORD - 1]}\"; echo \"${COMPREPLY[@]}\"",
            "bash",
            script,
            program,
            line,
        ]),
        "fish" => ask.args([
            "--no-config",
            "-c",
            &format!("source '{script}'; complete -C '{line}'"),
        ]),
        // Completion in zsh needs a terminal, which its module zpty makes. After the completion the
        // line becomes the argument of `print`. The words `ready` and `done` are typed with a
        // backslash in them. So only the printed words match, and the terminal's echo does not.
        _ => ask.args([
            "-f",
            "-c",
            "zmodload zsh/zpty; zpty shell zsh -f -i; \
             zpty -w shell \"PS1=; bindkey -e; autoload -Uz compinit; compinit -u -D; source '$1'; \
             print re\\\\ady\"; zpty -r shell text '*ready*'; \
             zpty -w -n shell \"$2\"$'\\t\\C-aprint -r -- \\C-e; print do\\\\ne\\n'; \
             zpty -r shell text '*done*'; print -r -- \"$text\"",
            "zsh",
            script,
            line,
        ]),
    };
    ask
}
