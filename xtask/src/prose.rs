//! Rules for comments and documents: the number of columns, and phrases without meaning.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::{command, workspace};

/// The last column of a comment or of a document's prose.
const COLUMNS: usize = 100;

/// Maximum number of findings to show.
const SHOWN: usize = 20;

/// Phrases to avoid, in lower case, and what to write instead.
const PHRASES: [(&str, &str); 8] = [
    ("says aloud", "name what is written, and where"),
    ("none of ours", "not a target"),
    ("that which", "name the thing"),
    ("see the module.", "say what the type is"),
    ("goes on without", "continues without"),
    ("as it is said to be", "leave it out"),
    ("today's users", "users of exectrace"),
    ("stopped as told", "stopped on request"),
];

/// A line that breaks a rule.
struct Finding {
    place: String,
    what: String,
}

/// Checks every Rust file and Markdown document that git tracks.
pub(crate) fn check() -> Result<()> {
    let files = command::output(command::new("git").args(["ls-files", "*.rs", "*.md"]))?;
    let mut findings = Vec::new();
    for file in files.lines().filter(|file| !is_generated(file)) {
        let path = workspace::root().join(file);
        // A file may have been removed since the last commit.
        if !path.exists() {
            continue;
        }
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        for (number, line) in prose(Path::new(file), &text) {
            let place = format!("{file}:{number}");
            findings.extend(judge(line).map(|what| Finding { place, what }));
        }
    }
    if findings.is_empty() {
        return Ok(());
    }
    for Finding { place, what } in findings.iter().take(SHOWN) {
        eprintln!("{place}: {what}");
    }
    bail!("{} lines of prose to change", findings.len());
}

/// Whether a program writes the file, or the file quotes the phrases.
fn is_generated(file: &str) -> bool {
    file.starts_with("docs/bench/") || file == "xtask/src/prose.rs"
}

/// The lines of comments or of prose, with their numbers.
fn prose<'a>(file: &Path, text: &'a str) -> Vec<(usize, &'a str)> {
    let is_markdown = file.extension().is_some_and(|extension| extension == "md");
    let mut in_code = false;
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let trimmed = line.trim_start();
        let content = if is_markdown {
            Some(trimmed)
        } else {
            trimmed
                .strip_prefix("//")
                .map(|rest| rest.trim_start_matches(['/', '!']).trim_start())
        };
        let Some(content) = content else { continue };
        if content.starts_with("```") {
            in_code = !in_code;
            continue;
        }
        // Tables and links cannot be wrapped.
        if !in_code && !content.starts_with('|') && content.contains(' ') {
            lines.push((index + 1, line));
        }
    }
    lines
}

/// The problem with a line, if any.
fn judge(line: &str) -> Option<String> {
    let columns = line.chars().count();
    if columns > COLUMNS && !is_one_span(line) {
        return Some(format!("{columns} columns, more than {COLUMNS}"));
    }
    let lower = line.to_lowercase();
    let (phrase, instead) = PHRASES.iter().find(|(phrase, _)| lower.contains(phrase))?;
    Some(format!("\"{phrase}\": {instead}"))
}

/// Whether the line is long because of code or a link in it that cannot be broken.
fn is_one_span(line: &str) -> bool {
    let longest = line
        .split('`')
        .skip(1)
        .step_by(2)
        .chain(line.split(' '))
        .map(|part| part.chars().count())
        .max();
    longest.is_some_and(|longest| longest > COLUMNS / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(file: &str, text: &'static str) -> Vec<&'static str> {
        let lines = prose(Path::new(file), text);
        lines.into_iter().map(|(_, line)| line).collect()
    }

    #[test]
    fn only_prose_is_judged() {
        let markdown = "# A title\n| a | b |\n```sh\nsome code\n```\nSome prose.\n";
        assert_eq!(lines("a.md", markdown), ["# A title", "Some prose."]);
        let rust = "//! A head.\nlet a = 1; // beside code\n    /// An item.\n//\n";
        assert_eq!(lines("a.rs", rust), ["//! A head.", "    /// An item."]);
    }

    #[test]
    fn long_lines_and_phrases_are_found() {
        let words = "word ".repeat(21);
        assert!(judge(&words).is_some());
        assert!(judge(words.trim_end().get(..99).unwrap()).is_none());
        let span = format!(
            "see `{}` for that, if you want to read on",
            "a b ".repeat(25)
        );
        assert!(judge(&span).is_none());
        assert!(judge("// None of ours.").is_some());
        assert!(judge("// Not a target.").is_none());
    }
}
