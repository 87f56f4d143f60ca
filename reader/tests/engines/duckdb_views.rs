//! The views for DuckDB, on logs in the forms of runtimes and collectors.

use crate::document::{blocks, titled};
use crate::log::{log, noise};
use crate::machine::{Place, needs_engines, rows};

const DOCUMENT: &str = "reading-with-duckdb.md";

/// Number of execs in the log of `log.rs`.
const EXECS: &str = "18\n";

/// The log in the form of container runtimes, with prefixes, and parts of at most 100 bytes.
fn cri(log: &str) -> String {
    let mut file = String::new();
    for line in log.lines() {
        let mut rest = line;
        while !rest.is_empty() {
            let (part, behind) = rest.split_at(rest.floor_char_boundary(100));
            let tag = if behind.is_empty() { 'F' } else { 'P' };
            file += &format!("2026-11-24T09:00:00.000000001Z stdout {tag} {part}\n");
            rest = behind;
        }
    }
    file
}

#[test]
fn every_block_of_the_page_runs() {
    needs_engines!();
    let place = Place::of("duckdb", &log());
    place.write("cri.log", cri(&log()).as_bytes());
    let mut last = String::new();
    for block in blocks(DOCUMENT) {
        last = place.shell(&block.text);
        if block.text.contains("keep.sql") {
            let execs = place.shell("duckdb fleet.db -c 'SELECT count(*) FROM execs'");
            assert_eq!(execs, EXECS, "{}", block.title);
            let containers = "SELECT DISTINCT container_id, nested_container_id FROM execs";
            let containers = place.shell(&format!("duckdb fleet.db -c '{containers}'"));
            assert_eq!(containers, "0123456789ab\tcdef01234567\n");
        }
        if block.title.contains("home directory") {
            assert_eq!(last, "robin\t/home/robin/bin/curl\t\t1\n");
        }
    }
    assert_eq!(last, "cc\t1\t\t1\n");
}

#[test]
fn what_cannot_be_read_is_counted_and_hides_nothing() {
    needs_engines!();
    let noise = noise();
    // The lines before and after the log cannot be read, but must not hide whole lines.
    let place = Place::of("duckdb", &format!("{noise}\n{}{noise}\n{noise}", log()));
    place.shell(&titled(DOCUMENT, "Files into a database"));
    let execs = place.shell("duckdb fleet.db -c 'SELECT count(*) FROM execs'");
    assert_eq!(execs, EXECS);
    let count = "SET VARIABLE log = 'exectrail.log'; FROM unreadable";
    let unreadable: usize = place
        .shell(&format!("duckdb fleet.db -c \"{count}\""))
        .trim()
        .parse()
        .unwrap();
    let empty = noise.lines().filter(|line| line.is_empty()).count();
    let broken = 3 * (noise.lines().count() - empty);
    assert!(
        (broken..=broken + 3 * empty).contains(&unreadable),
        "{unreadable} of {broken}"
    );
}

#[test]
fn the_python_module_reads_what_the_program_reads() {
    needs_engines!();
    let place = Place::generated("duckdb");
    place.shell(&titled(DOCUMENT, "Files into a database"));
    let question = "SELECT username, program, count(*) FROM execs GROUP BY ALL ORDER BY ALL";
    let program = place.shell(&format!("duckdb fleet.db -c '{question}'"));
    place.write(
        "ask.py",
        format!(
            "import duckdb\n\
         connection = duckdb.connect()\n\
         connection.execute(\"SET VARIABLE log = 'exectrail.log'\")\n\
         connection.execute(open('views.sql').read())\n\
         for row in connection.execute('{question}').fetchall():\n    \
             print(*row, sep='\\t')\n"
        )
        .as_bytes(),
    );
    let module = place.shell("python3 ask.py");
    assert_eq!(rows(&module), rows(&program));
    let sum: u64 = rows(&module)
        .iter()
        .map(|row| row[2].parse::<u64>().unwrap())
        .sum();
    assert_eq!(sum, 20_000);
}
