//! `exectrail-log` accepts the commands for files that three documents and its help show.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::files::{file, output_of, plain, run};

/// Finds the commands in a text. A command is a line, which may begin with a prompt or blanks, or
/// is code in backquotes.
fn commands(text: &str) -> BTreeSet<String> {
    let text = text.replace("\\\n", " ").replace("\\|", "|");
    let in_lines = text.lines().map(|line| line.trim_start_matches(['$', ' ']));
    let quoted = text.split('`').skip(1).step_by(2);
    in_lines
        .chain(quoted)
        // If a line ends with a pipe, the next line is another command.
        .flat_map(|line| line.trim_end_matches(" |").split(" | "))
        // Commands with variables belong to whole blocks, which the tests of the engines run.
        .filter(|command| command.starts_with("exectrail-log ") && !command.contains('$'))
        .filter(|command| command.contains(".log"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_shown_command_runs() {
    let directory = tempfile::tempdir().unwrap();
    let log = file(
        directory.path(),
        "exectrail.log",
        plain(&run("aa", 2)).as_bytes(),
    );
    fs::copy(&log, directory.path().join("exectrail.log.gz")).unwrap();
    let documents = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let mut shown = BTreeSet::new();
    for document in ["reading-the-log.md", "report.md", "convert.md"] {
        shown.extend(commands(
            &fs::read_to_string(documents.join(document)).unwrap(),
        ));
    }
    assert!(shown.len() > 5, "{shown:?}");
    for command in ["show", "tree", "top", "report", "convert", "verify"] {
        let help = output_of(&[command, "--help"], &[]);
        assert!(
            help.lines().all(|line| line.chars().count() <= 100),
            "{help}"
        );
        shown.extend(commands(&help));
    }
    shown.extend(commands(&output_of(&["--help"], &[])));
    assert!(shown.len() > 12, "{shown:?}");
    let program = Path::new(env!("CARGO_BIN_EXE_exectrail-log"));
    let path = format!(
        "{}:{}",
        program.parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    );
    for command in shown {
        // The commands that read files of a node, or use `--follow`, name files in /var/log/pods.
        let command = match command.contains("/var/log/pods") {
            true => command
                .replace("/var/log/pods/*/exectrail/0.log", "exectrail.log")
                .replace("/var/log/pods/*/exectrail/*.log", "exectrail.log")
                .replace(" --follow", ""),
            false => command,
        };
        let output = Command::new("sh")
            .args(["-c", &command])
            .current_dir(directory.path())
            .env("PATH", &path)
            .output()
            .unwrap();
        assert!(output.status.success(), "{command}: {output:?}");
    }
}

#[test]
fn man_pages_and_completions_name_the_commands() {
    let directory = tempfile::tempdir().unwrap();
    output_of(&["man"], &[directory.path()]);
    for name in ["exectrail-log", "exectrail-log-show", "exectrail-log-tree"] {
        let page = directory.path().join(format!("{name}.1"));
        let page = fs::read_to_string(&page).unwrap();
        assert!(page.contains(&format!(".TH {name} 1")), "{page}");
    }
    for shell in ["bash", "zsh", "fish"] {
        let script = output_of(&["completions", shell], &[]);
        assert!(
            script.contains("tree") && script.contains("verify"),
            "{shell}"
        );
    }
}
