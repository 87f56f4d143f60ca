//! jq, DuckDB and ClickHouse give the same answer to each question of docs/reading-the-log.md.
//! `exectrail-log` shows the same lines.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::answers::{ANSWERS, Answer};
use crate::document::{Block, blocks, titled};
use crate::log::{log, noise};
use crate::machine::{Place, needs_engines, rows};

const DOCUMENT: &str = "reading-the-log.md";

/// The blocks with this title, each with the answer to its question.
fn asked(title: &str) -> Vec<(Block, &'static Answer)> {
    let blocks: Vec<_> = blocks(DOCUMENT)
        .into_iter()
        .filter(|block| block.title == title)
        .map(|block| {
            let answer = ANSWERS
                .iter()
                .find(|answer| block.heading == answer.question);
            let answer = answer.unwrap_or_else(|| panic!("no answer to {}", block.heading));
            (block, answer)
        })
        .collect();
    let questions: BTreeSet<_> = blocks.iter().map(|(_, answer)| answer.question).collect();
    assert_eq!(
        questions.len(),
        ANSWERS.len(),
        "{title} does not answer every question"
    );
    blocks
}

/// The rows of an answer, in the form of the engines' output.
fn expected(answer: &Answer) -> Vec<Vec<String>> {
    let fields = |row: &&str| {
        row.split('|')
            .map(|field| field.trim().to_owned())
            .collect()
    };
    answer.rows.iter().map(fields).collect()
}

/// Checks that each block with this title prints its answer.
fn check(place: &Place, title: &str) {
    for (block, answer) in asked(title) {
        let printed = place.shell(&block.text);
        assert_eq!(rows(&printed), expected(answer), "{}", block.text);
    }
}

#[test]
fn duckdb_answers() {
    needs_engines!();
    let log = format!("{}{}", log(), noise());
    let place = Place::of("duckdb", &log);
    place.shell(&titled("reading-with-duckdb.md", "Files into a database"));
    check(&place, "DuckDB");
}

#[test]
fn clickhouse_answers() {
    needs_engines!();
    let log = format!("{}{}", log(), noise());
    let place = Place::of("clickhouse", &log);
    place.shell(&titled("reading-with-clickhouse.md", "Tables"));
    place.shell(&titled(
        "reading-with-clickhouse.md",
        "Files into the tables",
    ));
    check(&place, "ClickHouse");
}

#[test]
fn jq_answers() {
    needs_engines!();
    let place = Place::of("none", &log());
    for (block, answer) in asked("jq") {
        let said = place.shell(&block.text);
        assert!(said.is_ascii(), "{said}");
        let mut rows: Vec<Vec<String>> = said
            .lines()
            .map(|line| serde_json::from_str::<Vec<Value>>(line).unwrap())
            .map(|row| row.iter().map(plain).collect())
            .collect();
        let mut expected = expected(answer);
        // The order of rows differs: the engines sort by time, and jq by group.
        rows.sort();
        expected.sort();
        assert_eq!(rows, expected, "{}", block.text);
    }
}

/// Writes a value of jq in the form of the engines' output.
fn plain(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let is_time = text.len() == 30 && text.ends_with('Z');
    let text = if is_time {
        text.replace('T', " ").replace('Z', "")
    } else {
        text
    };
    let harmless = |c: char| {
        if c.is_control() || c == '\u{202e}' {
            '\u{fffd}'
        } else {
            c
        }
    };
    text.chars().map(harmless).collect()
}

#[test]
fn exectrail_log_answers() {
    needs_engines!();
    let place = Place::of("none", &format!("{}{}", log(), noise()));
    for (block, answer) in asked("exectrail-log") {
        let output = place.try_shell(&block.text);
        let said = String::from_utf8(output.stdout).unwrap();
        // `verify` fails because it finds a fault, and no other block may fail.
        let fails = block.text.contains("exectrail-log verify");
        assert_eq!(output.status.success(), !fails, "{}\n{said}", block.text);
        for shown in answer.shown {
            assert!(
                said.contains(shown),
                "no {shown} in:\n{said}\n{}",
                block.text
            );
        }
        for hidden in answer.hidden {
            assert!(
                !said.contains(hidden),
                "{hidden} in:\n{said}\n{}",
                block.text
            );
        }
        assert!(
            !said.contains('\u{1b}') && !said.contains('\u{202e}'),
            "{said}"
        );
    }
}
