//! A report of many execs: the page has each exec once, and only the visible rows have elements.

use std::fs;

use exectrail_testbed::generated_log::{Options, generate};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::page::{open, report};

const EXECS: u64 = 6_000;

fn log() -> String {
    let options = Options {
        execs: EXECS,
        workspaces: 5,
        seed: 7,
        losses: true,
    };
    let mut text = Vec::new();
    generate(options, &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

#[test]
fn every_exec_can_be_reached_and_only_visible_rows_exist() {
    let log = log();
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|line: &Value| line["msg"] == "exec")
        .collect();
    let mut page = open!(&log);
    page.value("document.querySelector('[role=grid]').focus()");
    page.press(&["End"]);
    page.wait_text(
        "#details",
        &lines[lines.len() - 1]["ts"].to_string().replace('"', ""),
    );
    let rows = page.value("document.querySelectorAll('.space .row').length");
    assert!(rows.as_u64().unwrap() < 60, "{rows}");
    // The search finds as many execs as this test finds in the log.
    page.press(&["/"]);
    page.browser.write("module_7").unwrap();
    let expected = lines
        .iter()
        .filter(|line| {
            line["fields"]["cmdline"]
                .as_str()
                .unwrap()
                .contains("module_7")
        })
        .count();
    assert!(expected > 10, "{expected}");
    page.wait_text("#count", &format!("{expected} of 6,000 execs"));
    // Each row of the table has the count that this test finds in the log.
    page.press(&["Escape"]);
    page.wait("!document.querySelector('#count').textContent.includes(' of ')");
    page.click("#tab-4");
    let table = page.wait(
        "[...document.querySelectorAll('.space .row')].map((row) =>\
         [row.children[0].textContent, row.children[1].textContent.replace(',', '')])",
    );
    let mut sum = 0;
    for row in table.as_array().unwrap() {
        let of = |line: &&Value| line["fields"]["event"]["exe"] == row[0];
        let count: usize = row[1].as_str().unwrap().parse().unwrap();
        assert_eq!(count, lines.iter().filter(of).count(), "{row}");
        sum += count;
    }
    assert_eq!(sum as u64, EXECS);
    page.end();
}

#[test]
fn a_report_never_replaces_its_log() {
    let directory = TempDir::new().unwrap();
    let file = report(directory.path(), "");
    let log = directory.path().join("exec.log");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_exectrail-log"))
        .args(["report", "-o"])
        .args([&log, &file, &log])
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && error.contains("name another file with -o"),
        "{error}"
    );
    assert_eq!(fs::read_to_string(&log).unwrap(), "");
    let entries = fs::read_dir(directory.path()).unwrap().count();
    assert_eq!(entries, 2, "no other file is left");
}

#[test]
fn shares_are_of_execs_and_a_cut_argv_is_marked() {
    let line = |second: u64, msg: &str, more: Value| {
        let mut event = json!({
            "filename": "/bin/make", "argv": ["make"], "exe": "/bin/make", "pid": 7, "start": 1,
            "ppid": 0, "ns_ppid": 0,
        });
        event
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let fields = json!({"cmdline": "make", "event": event, "labels": {"username": "jessie"}});
        let time = format!("2026-11-24T04:04:0{second}.000000000Z");
        format!(r#"{{"ts":"{time}","level":"INFO","msg":"{msg}","fields":{fields}}}"#) + "\n"
    };
    let log = [
        line(1, "exec", json!({"truncated": true})),
        line(2, "exec_failed", json!({"error": "ENOENT", "errno": 2})),
    ]
    .concat();
    let mut page = open!(&log);
    page.wait_text(".space .row", "cut");
    page.click("#tab-2");
    page.wait_text("[role=tabpanel]:not([hidden]) .space .row", "100.0%");
    page.end();
}
