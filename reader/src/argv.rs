//! The exact arguments of an exec, which may be on several lines (`exec_argv`).

use serde_json::value::RawValue;

use crate::record::{Record, Text};

/// Stands for an argv that equals the command line divided at blanks.
const SAME: &str = "=";

/// The arguments of an exec.
#[derive(Debug, Default)]
pub(crate) struct Argv<'a> {
    words: Vec<Text<'a>>,
    /// All arguments, if the exec has several lines.
    joined: Option<Vec<String>>,
    json: Option<String>,
}

fn words_of<'a>(argv: Option<&'a RawValue>) -> Vec<Text<'a>> {
    argv.and_then(|argv| serde_json::from_str(argv.get()).ok())
        .unwrap_or_default()
}

impl<'a> Argv<'a> {
    /// The arguments of a record, whose lines are `lines`.
    pub(crate) fn of(record: &'a Record<'_>, lines: &[u8]) -> Self {
        let event = record.fields.event.as_deref();
        let words = words_of(event.and_then(|event| event.argv));
        if record.lines > 1 {
            let joined = joined(lines);
            return Self {
                json: serde_json::to_string(&joined).ok(),
                joined: Some(joined),
                words,
            };
        }
        let cmdline = record.fields.cmdline.as_deref();
        let is_same = cmdline.is_some_and(|cmdline| are_same(&words, cmdline));
        Self {
            words,
            joined: None,
            json: is_same.then(|| SAME.to_owned()),
        }
    }

    pub(crate) fn words(&self) -> Vec<&str> {
        match &self.joined {
            Some(joined) => joined.iter().map(String::as_str).collect(),
            None => self.words.iter().map(|word| &**word).collect(),
        }
    }

    /// The text that replaces the first line's argv: JSON, or [`SAME`]. `None` keeps that argv.
    pub(crate) fn json(&self) -> Option<&str> {
        self.json.as_deref()
    }

    /// Whether the record's command line can stand for the arguments. If the exec has several
    /// lines, its command line is cut.
    pub(crate) fn is_cmdline_the_text(&self) -> bool {
        self.joined.is_none()
    }

    /// The arguments with blanks between them.
    pub(crate) fn text(&self) -> String {
        self.words().join(" ")
    }
}

/// Whether dividing the command line at blanks gives these words.
fn are_same(words: &[Text<'_>], cmdline: &str) -> bool {
    let mut parts = cmdline.split(' ');
    words.iter().all(|word| parts.next() == Some(word)) && parts.next().is_none()
}

/// Joins the arguments of an exec's lines.
fn joined(lines: &[u8]) -> Vec<String> {
    let mut joined: Vec<String> = Vec::new();
    for line in lines.split(|byte| *byte == b'\n') {
        let Ok(record) = Record::read(line) else {
            continue;
        };
        let Some(event) = &record.fields.event else {
            continue;
        };
        let mut continues = event.offset.is_some_and(|offset| offset > 0);
        for word in words_of(event.argv) {
            match joined.last_mut().filter(|_| continues) {
                Some(last) => last.push_str(&word),
                None => joined.push(word.to_string()),
            }
            continues = false;
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_stands_for_an_argv_only_if_blanks_divide_it_into_the_words() {
        let text = |word| serde_json::from_str::<Text<'_>>(word).unwrap();
        let words = [text("\"cc\""), text("\"-c\"")];
        assert!(are_same(&words, "cc -c"));
        for other in ["cc  -c", "cc", "cc -c ''", "cc -c "] {
            assert!(!are_same(&words, other), "{other}");
        }
        assert!(!are_same(&[text("\"a b\"")], "a b"));
    }

    #[test]
    fn further_lines_continue_the_last_argument_or_begin_one() {
        let line = |event: &str| {
            format!("{{\"ts\":\"1\",\"msg\":\"exec_argv\",\"fields\":{{\"event\":{{{event}}}}}}}")
        };
        let lines = [
            line(r#""argv":["a","b"]"#),
            line(r#""argv":["c","d"],"offset":1"#),
            line(r#""argv":["","e f"],"offset":0"#),
        ];
        let joined = joined(lines.join("\n").as_bytes());
        assert_eq!(joined, ["a", "bc", "d", "", "e f"]);
    }
}
