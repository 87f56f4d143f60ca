//! Any bytes as records of the ring: no panic, no control character, and each line of `json` is
//! JSON.
//!
//! Separators divide the input into records, so that a change of one record does not change the
//! others.
#![no_main]
#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use exectrail::internals::{Labels, OutputFormat, Stream, Writer};
use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;

const SEPARATOR: &[u8] = b"next";

fuzz_target!(|input: &[u8]| {
    for format in [OutputFormat::Json, OutputFormat::Text] {
        let labels = Labels::new(&BTreeMap::new()).expect("an empty map can be JSON");
        let mut stream = Stream::new(Writer::new(format, labels));
        let mut lines = Vec::new();
        for record in records(input) {
            let before = lines.len();
            let accepted = stream.record(record, &mut lines);
            assert!(
                accepted.is_ok() || lines.len() == before,
                "a refused record left a trace"
            );
        }
        stream.finish(None, &mut lines);
        let lines = String::from_utf8(lines).expect("lines are UTF-8");
        assert!(lines.ends_with('\n'));
        for line in lines.lines() {
            assert!(
                !line.chars().any(char::is_control),
                "a control character in {line:?}"
            );
            if format == OutputFormat::Json {
                let json = serde_json::from_str::<BTreeMap<&str, IgnoredAny>>(line);
                assert!(json.is_ok(), "{json:?}: {line:?}");
            }
        }
    }
});

/// The parts of the input before, between and after separators.
fn records(input: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(input);
    std::iter::from_fn(move || {
        let input = rest?;
        let at = input
            .windows(SEPARATOR.len())
            .position(|window| window == SEPARATOR);
        rest = at.map(|at| &input[at + SEPARATOR.len()..]);
        Some(&input[..at.unwrap_or(input.len())])
    })
}
