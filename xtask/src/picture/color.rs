//! The lines of a terminal, in colors. A line that is wider than the terminal is continued or cut.

use super::svg::{COLUMNS, Part, Style};

/// A line, as parts of one style each.
type Line = Vec<Part>;

/// The prompt and a command.
pub(super) fn prompt(command: &str) -> Line {
    vec![Part::new(Style::Dim, "# "), Part::new(Style::Bold, command)]
}

/// A line that a program printed: several lines if it is JSON, which is shown whole.
pub(super) fn output(line: &str) -> Vec<Line> {
    if line.starts_with('{') {
        wrapped(json(line))
    } else {
        vec![cut(text(line))]
    }
}

/// Text with the sequences that give it colors on a terminal (ECMA-48, SGR).
fn text(line: &str) -> Line {
    let mut pieces = line.split("\x1b[");
    let first = pieces.next().unwrap_or_default();
    let mut parts = vec![Part::new(Style::Plain, first)];
    for piece in pieces {
        let (numbers, text) = piece.split_once('m').unwrap_or(("", piece));
        let style = match numbers {
            "1" => Style::Bold,
            "2" => Style::Dim,
            "36" => Style::Name,
            "31" | "33" => Style::Value,
            _ => Style::Plain,
        };
        parts.push(Part::new(style, text));
    }
    parts.retain(|part| !part.text.is_empty());
    parts
}

/// JSON, with a style for keys and a style for the other strings.
fn json(line: &str) -> Line {
    let mut parts = Vec::new();
    let mut rest = line;
    while let Some(start) = rest.find('"') {
        parts.push(Part::new(Style::Plain, &rest[..start]));
        let length = end_of_string(&rest[start..]);
        let (string, after) = rest[start..].split_at(length);
        let style = if after.starts_with(':') {
            Style::Name
        } else {
            Style::Value
        };
        parts.push(Part::new(style, string));
        rest = after;
    }
    parts.push(Part::new(Style::Plain, rest));
    parts
}

/// The length of the JSON string that the text begins with.
fn end_of_string(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The line, cut with an ellipsis if it is wider than the terminal.
fn cut(line: Line) -> Line {
    let width: usize = line.iter().map(|part| part.text.chars().count()).sum();
    if width <= COLUMNS {
        return line;
    }
    let mut first = wrapped_at(line, COLUMNS - 1).swap_remove(0);
    first.push(Part::new(Style::Dim, "…"));
    first
}

/// The line, continued on the next lines where the terminal ends.
fn wrapped(line: Line) -> Vec<Line> {
    wrapped_at(line, COLUMNS)
}

fn wrapped_at(line: Line, columns: usize) -> Vec<Line> {
    let mut lines = vec![Line::new()];
    let mut room = columns;
    for part in line {
        let mut text: Vec<char> = part.text.chars().collect();
        while !text.is_empty() {
            if room == 0 {
                lines.push(Line::new());
                room = columns;
            }
            let rest = text.split_off(text.len().min(room));
            room -= text.len();
            let text_here: String = std::mem::replace(&mut text, rest).into_iter().collect();
            if let Some(last) = lines.last_mut() {
                last.push(Part::new(part.style, text_here));
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(lines: &[Line]) -> Vec<String> {
        let text = |line: &Line| line.iter().map(|part| part.text.as_str()).collect();
        lines.iter().map(text).collect()
    }

    #[test]
    fn colors_change_no_text() {
        for line in [
            "exectrail: 7 execs recorded, 0 lost",
            "cc -c main.c",
            r#"{"a":"b\"c\\","d":[1,"e"]}"#,
            "",
        ] {
            assert_eq!(shown(&output(line)), [line]);
        }
        let line = output("\x1b[2m0.000\x1b[0m \x1b[36m/bin/a\x1b[0m b").swap_remove(0);
        let parts = [
            (Style::Dim, "0.000"),
            (Style::Plain, " "),
            (Style::Name, "/bin/a"),
        ];
        let parts = parts.map(|(style, text)| Part::new(style, text));
        assert_eq!(line[..3], parts);
        assert_eq!(line[3], Part::new(Style::Plain, " b"));
    }

    #[test]
    fn long_text_is_cut_and_long_json_continues() {
        let long = "a".repeat(3 * COLUMNS);
        let cut = shown(&output(&long));
        assert_eq!(cut.len(), 1);
        assert_eq!(cut[0].chars().count(), COLUMNS);
        assert!(cut[0].ends_with("a…"), "{cut:?}");
        let json = format!("{{\"{long}\":1}}");
        let lines = shown(&output(&json));
        assert!(lines.iter().all(|line| line.len() <= COLUMNS));
        assert_eq!(lines.concat(), json);
    }
}
