//! Rules for lines: the number of columns of code, comments and documents, and phrases to avoid in
//! Rust comments and documents.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::{command, workspace};

/// The last column of a line.
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

/// Checks all Rust, C, shell and Markdown files that git tracks.
pub(crate) fn check() -> Result<()> {
    let mut list = command::new("git");
    list.args(["ls-files", "*.rs", "*.c", "*.sh", "*.md"]);
    let files = command::output(&mut list)?;
    let mut findings = Vec::new();
    for file in files.lines().filter(|file| !is_exempt(file)) {
        let path = workspace::root().join(file);
        // A file may have been removed since the last commit.
        if !path.exists() {
            continue;
        }
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        for (number, kind, line) in lines(Path::new(file), &text) {
            let what = match kind {
                Kind::Code => too_long(line),
                Kind::Prose => too_long(line).or_else(|| discouraged(line)),
            };
            let place = format!("{file}:{number}");
            findings.extend(what.map(|what| Finding { place, what }));
        }
    }
    if findings.is_empty() {
        return Ok(());
    }
    for Finding { place, what } in findings.iter().take(SHOWN) {
        eprintln!("{place}: {what}");
    }
    bail!("{} lines to change", findings.len());
}

/// Whether a program writes the file, or the file quotes the phrases.
fn is_exempt(file: &str) -> bool {
    file.starts_with("docs/bench/") || file == "xtask/src/prose.rs"
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A line of a program.
    Code,
    /// A line of a Rust comment or of a document.
    Prose,
}

/// The lines that can be wrapped, with their numbers. Tables, lines of one word, and code in
/// documents and comments, cannot be wrapped.
fn lines<'a>(file: &Path, text: &'a str) -> Vec<(usize, Kind, &'a str)> {
    let extension = file.extension().unwrap_or_default();
    let mut in_block = false;
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let trimmed = line.trim_start();
        let prose = if extension == "md" {
            Some(trimmed)
        } else if extension == "rs" {
            trimmed
                .strip_prefix("//")
                .map(|rest| rest.trim_start_matches(['/', '!']).trim_start())
        } else {
            None
        };
        let Some(prose) = prose else {
            lines.push((index + 1, Kind::Code, line));
            continue;
        };
        if prose.starts_with("```") {
            in_block = !in_block;
            continue;
        }
        if !in_block && !prose.starts_with('|') && prose.contains(' ') {
            lines.push((index + 1, Kind::Prose, line));
        }
    }
    lines
}

/// What is wrong with the length of a line, if anything.
fn too_long(line: &str) -> Option<String> {
    let columns = line.chars().count();
    (columns > COLUMNS && !is_one_span(line))
        .then(|| format!("{columns} columns, more than {COLUMNS}"))
}

/// The first of [`PHRASES`] that a line contains, and what to write instead.
fn discouraged(line: &str) -> Option<String> {
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

    fn lines_of(file: &str, text: &'static str) -> Vec<(Kind, &'static str)> {
        let lines = lines(Path::new(file), text);
        lines
            .into_iter()
            .map(|(_, kind, line)| (kind, line))
            .collect()
    }

    #[test]
    fn comments_and_documents_are_prose() {
        let markdown = "# A title\n| a | b |\n```sh\nsome code\n```\nSome prose.\n";
        assert_eq!(
            lines_of("a.md", markdown),
            [(Kind::Prose, "# A title"), (Kind::Prose, "Some prose.")]
        );
        let rust = "//! A head.\nlet a = 1; // beside code\n    /// An item.\n//\n";
        assert_eq!(
            lines_of("a.rs", rust),
            [
                (Kind::Prose, "//! A head."),
                (Kind::Code, "let a = 1; // beside code"),
                (Kind::Prose, "    /// An item."),
            ]
        );
        assert_eq!(lines_of("a.sh", "# a\n")[0].0, Kind::Code);
    }

    #[test]
    fn long_lines_are_found() {
        let words = "word ".repeat(21);
        assert!(too_long(&words).is_some());
        assert!(too_long(words.trim_end().get(..99).unwrap()).is_none());
        let span = format!("see `{}` for that, if you like", "a b ".repeat(25));
        assert!(too_long(&span).is_none());
    }

    #[test]
    fn discouraged_phrases_are_found() {
        assert!(discouraged("// None of ours.").is_some());
        assert!(discouraged("// Not a target.").is_none());
    }
}
