//! The tables for ClickHouse, and their sharded variant.

use std::fs;

use crate::document::{blocks, titled};
use crate::log::{log, noise};
use crate::machine::{Place, needs_engines, repository, rows};

const DOCUMENT: &str = "reading-with-clickhouse.md";

fn ask(place: &Place, query: &str) -> String {
    place.shell(&format!("clickhouse-client --query \"{query}\""))
}

#[test]
fn every_block_of_the_page_runs_and_a_second_delivery_changes_nothing() {
    needs_engines!();
    let place = Place::of("clickhouse", &format!("{}{}", log(), noise()));
    place.shell("gzip --keep exectrail.log");
    let blocks = blocks(DOCUMENT);
    for block in &blocks {
        place.shell(&block.text);
    }
    // Each line was inserted twice: from the text, and from the compressed file.
    assert_eq!(
        blocks
            .iter()
            .filter(|block| block.text.contains("INSERT"))
            .count(),
        2
    );
    assert_eq!(ask(&place, "SELECT count() FROM exectrail.execs"), "18\n");
    assert_eq!(
        ask(&place, "SELECT count() FROM exectrail.lines FINAL"),
        "32\n"
    );
    let missing = "clickhouse-client --queries-file missing.sql";
    assert_eq!(rows(&place.shell(missing)).len(), 6);
    assert_eq!(
        ask(&place, "SELECT count() FROM exectrail.first_seen FINAL"),
        "14\n"
    );
    let containers = "SELECT DISTINCT container_id, nested_container_id FROM exectrail.execs";
    assert_eq!(ask(&place, containers), "0123456789ab\tcdef01234567\n");
    // The column `text` has the whole line, if the line is not an event's.
    let text = "SELECT text FROM exectrail.lines WHERE msg = 'suppressed' LIMIT 1";
    let line = ask(&place, text);
    assert!(
        log().lines().any(|whole| whole == line.trim_end()),
        "{line}"
    );
}

#[test]
fn counts_are_those_of_the_log() {
    needs_engines!();
    let place = Place::generated("clickhouse");
    place.shell(&titled(DOCUMENT, "Tables"));
    place.shell(&titled(DOCUMENT, "Files into the tables"));
    let by_hour = "SELECT sum(execs) FROM exectrail.programs_by_hour";
    assert_eq!(ask(&place, by_hour), "20000\n");
    assert_eq!(
        ask(&place, "SELECT count() FROM exectrail.execs"),
        "20000\n"
    );
    assert_eq!(
        ask(&place, "SELECT count() FROM exectrail.first_seen FINAL"),
        "8\n"
    );
    let lost = "SELECT sum(count) FROM exectrail.losses";
    let verified = place.shell("exectrail-log verify exectrail.log");
    let lost = format!("{} lost", ask(&place, lost).trim());
    assert!(
        verified.lines().last().unwrap().contains(&lost),
        "{lost}: {verified}"
    );
}

/// Runs each statement of sharded.sql with the replicated engines, on a Keeper in the same process.
/// `ON CLUSTER` is removed, because it needs a server that listens, and chDB does not listen.
#[test]
fn the_sharded_tables_are_accepted() {
    needs_engines!();
    let place = Place::of("clickhouse", "");
    place.write(
        "config.xml",
        b"<clickhouse>\
        <zookeeper><implementation>testkeeper</implementation></zookeeper>\
        <macros><shard>1</shard><replica>a</replica></macros>\
        <remote_servers><exectrail>\
        <shard><replica><host>127.0.0.1</host><port>9000</port></replica></shard>\
        <shard><replica><host>127.0.0.2</host><port>9000</port></replica></shard>\
        </exectrail></remote_servers></clickhouse>",
    );
    let sharded = repository().join("templates/log-reading/clickhouse/sharded.sql");
    let sharded = fs::read_to_string(sharded).unwrap();
    assert_eq!(sharded.matches(" ON CLUSTER exectrail").count(), 13);
    place.write(
        "sharded.sql",
        sharded.replace(" ON CLUSTER exectrail", "").as_bytes(),
    );
    place.write(
        "engines.sql",
        b"SELECT name, engine FROM system.tables
        WHERE database = 'exectrail' AND name NOT LIKE '.%' ORDER BY name;",
    );
    let files = "--queries-file schema.sql --queries-file sharded.sql --queries-file views.sql";
    let engines = place.shell(&format!(
        "CHDB=\"$CHDB?config-file=config.xml\" \
         clickhouse-client {files} --queries-file engines.sql"
    ));
    let engines = rows(&engines);
    let engine = |name: &str| {
        let row = engines.iter().find(|row| row[0] == name);
        row.unwrap_or_else(|| panic!("no {name}: {engines:?}"))[1].clone()
    };
    for (table, local) in [
        ("lines", "ReplicatedReplacingMergeTree"),
        ("programs_by_hour", "ReplicatedSummingMergeTree"),
        ("first_seen", "ReplicatedAggregatingMergeTree"),
    ] {
        assert_eq!(engine(table), "Distributed");
        assert_eq!(engine(&format!("{table}_local")), local);
    }
    for view in ["lines_mv", "programs_by_hour_mv", "first_seen_mv"] {
        assert_eq!(engine(view), "MaterializedView");
    }
    assert_eq!(engine("execs"), "View");
}
