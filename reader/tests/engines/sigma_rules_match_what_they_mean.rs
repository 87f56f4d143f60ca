//! Sigma rules that `exectrail_sigma.py` translates match the right execs on both engines.

use std::fs;
use std::process::Output;

use crate::document::titled;
use crate::log::log;
use crate::machine::{Place, needs_engines, repository, rows};
use crate::sigma_rules::{REFUSED, RULES, Rule};

/// The title of all rules. SQL must quote it.
const TITLE: &str = "it's a test";

/// The file of a rule.
fn rule(detection: &str) -> String {
    format!(
        "title: {TITLE}\nlogsource: {{product: linux, category: process_creation}}\n\
         detection: {detection}\n"
    )
}

fn translate(place: &Place, engine: &str, files: &str) -> Output {
    let program = "exectrail_sigma.py";
    let source = repository()
        .join("templates/log-reading/sigma")
        .join(program);
    fs::copy(source, place.path(program)).unwrap();
    place.try_shell(&format!("python3 {program} {engine} {files}"))
}

/// Translates all rules, and returns their queries.
fn translated(place: &Place, engine: &str) -> String {
    let mut files = String::new();
    for (number, Rule { detection, .. }) in RULES.iter().enumerate() {
        let name = format!("{number}.yml");
        place.write(&name, rule(detection).as_bytes());
        files += &format!("{name} ");
    }
    let output = translate(place, engine, &files);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{stderr}");
    let queries = String::from_utf8(output.stdout).unwrap();
    assert_eq!(queries.lines().count(), RULES.len(), "{queries}");
    queries
}

/// Changes each query, so that it returns the number of its rule, and the first word of each
/// command line that the query finds.
fn numbered(queries: &str, engine: &str) -> String {
    let numbered = queries.lines().enumerate().map(|(number, query)| {
        let word = match engine {
            "duckdb" => "split_part(command_line, ' ', 1)",
            _ => "splitByChar(' ', command_line)[1]",
        };
        let (_, found) = query.split_once(" FROM (").unwrap();
        format!("SELECT {number}, {word} FROM ({found}\n")
    });
    numbered.collect()
}

/// Compares the rows that the queries found with the matches of the rules.
fn check(found: &str) {
    let found = rows(found);
    for (number, rule) in RULES.iter().enumerate() {
        let mut words: Vec<&str> = found
            .iter()
            .filter(|row| row[0] == number.to_string())
            .map(|row| &*row[1])
            .collect();
        words.sort_unstable();
        let mut expected = rule.matches.to_vec();
        expected.sort_unstable();
        assert_eq!(words, expected, "{}: {}", rule.name, rule.detection);
    }
}

#[test]
fn on_duckdb() {
    needs_engines!();
    let place = Place::of("duckdb", &log());
    place.shell(&titled("reading-with-duckdb.md", "Files into a database"));
    let queries = translated(&place, "duckdb");
    place.write("rules.sql", numbered(&queries, "duckdb").as_bytes());
    check(&place.shell("duckdb fleet.db -f rules.sql"));
    place.write("rules.sql", queries.as_bytes());
    assert!(place.shell("duckdb fleet.db -f rules.sql").contains(TITLE));
}

#[test]
fn on_clickhouse() {
    needs_engines!();
    let place = Place::of("clickhouse", &log());
    place.shell(&titled("reading-with-clickhouse.md", "Tables"));
    place.shell(&titled(
        "reading-with-clickhouse.md",
        "Files into the tables",
    ));
    let queries = translated(&place, "clickhouse");
    place.write("rules.sql", numbered(&queries, "clickhouse").as_bytes());
    check(&place.shell("clickhouse-client --queries-file rules.sql"));
    place.write("rules.sql", queries.as_bytes());
    let found = place.shell("clickhouse-client --queries-file rules.sql");
    assert!(found.contains(TITLE), "{found}");
}

#[test]
fn a_rule_that_cannot_be_translated_is_an_error_that_names_the_cause() {
    needs_engines!();
    let place = Place::of("none", "");
    place.write("good.yml", rule(RULES[0].detection).as_bytes());
    for engine in ["duckdb", "clickhouse"] {
        for (detection, named) in REFUSED {
            place.write("refused.yml", rule(detection).as_bytes());
            let output = translate(&place, engine, "refused.yml good.yml");
            let error = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1), "{detection}: {error}");
            assert!(
                error.contains(named) && !error.contains("Traceback"),
                "{error}"
            );
            let queries = String::from_utf8(output.stdout).unwrap();
            assert_eq!(queries.lines().count(), 1, "{detection}: {queries}");
        }
        let windows = rule(RULES[0].detection).replace("linux", "windows");
        place.write("refused.yml", windows.as_bytes());
        let output = translate(&place, engine, "refused.yml");
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&output.stderr).contains("Linux"));
    }
}
