//! The tree, the report and each engine have all execs of a log. One log is a day of forty
//! workspaces, the other is a recorded `make` and `npm install`.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::Command;

use exectrail_testbed::browser::{Browser, is_installed};
use exectrail_testbed::generated_log::{Options, generate};
use exectrail_testbed::wait::wait_for;

use crate::document::titled;
use crate::machine::{Place, needs_engines, skip};

/// Number of execs of the day.
const EXECS: u64 = 1_000_000;

/// Whether a line of a tree is an exec: it has a time, and is not about a gap.
fn is_exec(line: &str) -> bool {
    let has_time = |word: &str| word.len() == 24 && word.get(10..11) == Some("T");
    !line.contains("\u{2500} * ") && line.split(' ').any(has_time)
}

/// The number of execs that the report shows. `None` if no browser is installed.
fn execs_of_report(report: &Path) -> Option<String> {
    if !is_installed() {
        skip(module_path!(), "no chromium");
        return None;
    }
    let mut browser = Browser::start().unwrap();
    browser.open(report).unwrap();
    let figure = "document.body?.dataset.opened && [...document.querySelectorAll('#figures div')]\
                  .map((div) => [...div.children].map((part) => part.textContent))\
                  .find(([name]) => name === 'Execs')[1]";
    let shown = wait_for("the report's figures", || {
        let value = browser.evaluate(figure).ok()?;
        value.as_str().map(|text| text.replace(',', ""))
    });
    Some(shown.unwrap())
}

/// Asserts that the tree, the report, DuckDB and ClickHouse count this number of execs. `place`
/// must be one for DuckDB.
fn check(place: &Place, execs: u64) {
    let execs = execs.to_string();

    place.shell("exectrail-log tree exectrail.log > tree");
    let tree = fs::read_to_string(place.path("tree")).unwrap();
    let lines = tree.lines().filter(|line| is_exec(line)).count();
    assert_eq!(lines.to_string(), execs, "in the tree");
    drop(tree);

    place.shell("exectrail-log report -o report.html exectrail.log");
    if let Some(shown) = execs_of_report(&place.path("report.html")) {
        assert_eq!(shown, execs, "in the report");
    }

    place.shell(&titled("reading-with-duckdb.md", "Files into a database"));
    let count = place.shell("duckdb fleet.db -c 'SELECT count(*) FROM execs'");
    assert_eq!(count.trim(), execs, "in DuckDB");

    let clickhouse = Place::of("clickhouse", "");
    fs::remove_file(clickhouse.path("exectrail.log")).unwrap();
    fs::hard_link(
        place.path("exectrail.log"),
        clickhouse.path("exectrail.log"),
    )
    .unwrap();
    for title in ["Tables", "Files into the tables"] {
        clickhouse.shell(&titled("reading-with-clickhouse.md", title));
    }
    let count = "clickhouse-client --query 'SELECT count() FROM exectrail.execs'";
    assert_eq!(clickhouse.shell(count).trim(), execs, "in ClickHouse");
}

#[test]
fn a_day_of_forty_workspaces_is_whole_everywhere() {
    needs_engines!();
    let place = Place::of("duckdb", "");
    let options = Options {
        execs: EXECS,
        workspaces: 40,
        seed: 3,
        losses: true,
    };
    let mut log = BufWriter::new(File::create(place.path("exectrail.log")).unwrap());
    generate(options, &mut log).unwrap();
    log.flush().unwrap();
    check(&place, EXECS);
}

/// Writes a project for `make` and `npm install`. Each of them executes `uname`.
fn write_project(directory: &Path) {
    fs::create_dir(directory).unwrap();
    let makefile = "all: a.txt\n%.txt: ; uname -s > $@\n";
    fs::write(directory.join("Makefile"), makefile).unwrap();
    let package = r#"{"name": "project", "version": "9.9.9", "private": true,
        "scripts": {"postinstall": "uname -m"}}"#;
    fs::write(directory.join("package.json"), package).unwrap();
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_recorded_make_and_npm_install_is_whole_everywhere() {
    needs_engines!();
    let exectrail_log = Path::new(env!("CARGO_BIN_EXE_exectrail-log"));
    let exectrail = exectrail_log.with_file_name("exectrail");
    if !exectrail.exists() {
        return skip(module_path!(), "no exectrail: cargo build --bin exectrail");
    }
    let place = Place::of("duckdb", "");
    let project = place.path("project");
    write_project(&project);
    let log = place.path("exectrail.log");
    let recorded = Command::new(exectrail)
        .args(["run", "--output", "json", "--log"])
        .arg(&log)
        .args(["--", "sh", "-e", "-c"])
        .arg("make; npm install --offline --no-audit --no-fund")
        .current_dir(&project)
        .env("HOME", &project)
        .output()
        .unwrap();
    assert!(recorded.status.success(), "{recorded:?}");
    let execs = fs::read_to_string(&log).unwrap();
    let execs = execs.matches(r#""msg":"exec","#).count();
    check(&place, execs.try_into().unwrap());

    let programs = "SELECT count(*) FROM execs WHERE filename LIKE";
    for (pattern, least) in [("%/make", 1), ("%/npm", 1), ("%/uname", 2)] {
        let count = place.shell(&format!("duckdb fleet.db -c \"{programs} '{pattern}'\""));
        let count: u32 = count.trim().parse().unwrap();
        assert!(count >= least, "{pattern}: {count}");
    }
}
