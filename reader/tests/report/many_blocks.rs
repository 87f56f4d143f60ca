//! A report whose screen shows rows of more blocks than the page keeps divided into lines.

use crate::page::open;

/// Maximum number of execs in a block (`reader/src/report/blocks.rs`).
const BLOCK: usize = 4_096;
/// More blocks than the page keeps divided into lines (`reader/src/report/page/blocks.js`).
const BLOCKS: usize = 40;

/// A log with one exec of `/bin/rare` in each block; all others are of `/bin/usual`.
fn log() -> String {
    let mut log = String::from(r#"{"ts":"2026-01-01T00:00:00Z","level":"INFO","#);
    log.push_str(r#""msg":"tracing_started","fields":{"run":"aa","line":0}}"#);
    log.push('\n');
    for number in 0..BLOCK * BLOCKS {
        let name = if number % BLOCK == 7 { "rare" } else { "usual" };
        let pid = number + 2;
        let (minutes, seconds) = (number / 60_000, number / 1_000 % 60);
        let time = format!("2026-01-01T00:{minutes:02}:{seconds:02}Z");
        let event = format!(
            r#"{{"filename":"/bin/{name}","argv":["{name}","{number}"],"pid":{pid},"start":{pid}}}"#
        );
        log.push_str(&format!(
            r#"{{"ts":"{time}","level":"INFO","msg":"exec","fields":{{"event":{event}}}}}"#
        ));
        log.push('\n');
    }
    log
}

#[test]
fn rows_of_many_blocks_all_show_their_text() {
    let mut page = open!(&log());
    page.browser.show(1280, 1600, false).unwrap();
    page.press(&["/"]);
    page.browser.write("rare").unwrap();
    page.wait_text("#count", &format!("{BLOCKS} of "));
    let rows = "[...document.querySelectorAll('[role=grid] .space .row')]";
    page.wait(&format!(
        "{rows}.length === {BLOCKS} && {rows}.every((row) => row.textContent.includes('rare '))"
    ));
    page.end();
}
