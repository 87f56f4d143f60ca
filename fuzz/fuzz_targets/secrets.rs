//! A secret in one of the supported forms, between arbitrary words: no line shows it, in either
//! format.
//!
//! The first byte selects the form. The other bytes are the words before and after it, divided by
//! NULs.
#![no_main]
#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use exectrail::internals::{Labels, OutputFormat, RedactMode, Redactor, Stream, Writer};
use exectrail_common::record::{Exec, KIND_EXEC, Prefix};
use libfuzzer_sys::fuzz_target;

const SECRET: &str = "Zq9A1B2C3D4E5F6A7B8C9D0E1F2A3B4C5D6E7F8a1b2";

/// Supported forms, as words.
const FORMS: [&[&str]; 26] = [
    &["--password", "SECRET"],
    &["--password=SECRET"],
    &["--TOKEN=SECRET"],
    &["-storepass", "SECRET"],
    &["API_KEY=SECRET"],
    &["mysql", "-pSECRET"],
    &["sshpass", "-p", "SECRET"],
    &["curl", "-u", "user:SECRET"],
    &["curl", "-sSuuser:SECRET"],
    &["zip", "-P", "SECRET"],
    &["-H", "Authorization: Bearer SECRET"],
    &["-HX-Api-Key: SECRET"],
    &["Cookie: session=SECRET"],
    &["https://user:SECRET@host/path"],
    &["https://host/?access_token=SECRET&x=1"],
    &[
        "sh",
        "-c",
        "curl -H \"Authorization: Bearer SECRET\" http://h/",
    ],
    &["sh", "-c", "mysql -pSECRET db"],
    &["sh", "-c", "TOKEN=SECRET make"],
    &["{\"password\":\"SECRET\"}"],
    &["{\\\"password\\\":\\\"SECRET\\\"}"],
    &["ghp_SECRET"],
    &["x=glpat-SECRET"],
    &["xoxb-1-SECRET"],
    &["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.SECRET"],
    &["-----BEGIN PRIVATE KEY-----\nSECRET\n-----END PRIVATE KEY-----"],
    &["psql", "-c", "ALTER USER u PASSWORD 'SECRET'"],
];

/// The record of an exec of these words.
fn record(argv: &[u8], argc: u32) -> Vec<u8> {
    const FILENAME: &[u8] = b"/bin/x";
    let len = argv.len() as u32;
    let exec = Exec {
        prefix: Prefix {
            kind: KIND_EXEC,
            filename_len: FILENAME.len() as u16,
            ..Prefix::default()
        },
        argc,
        argv_len: len,
        argv_early: len,
        argv_head: len,
        ..Exec::default()
    };
    [bytemuck::bytes_of(&exec), FILENAME, argv].concat()
}

thread_local! {
    /// The redactors are built once.
    static REDACTORS: [Option<Redactor>; 2] = [RedactMode::Known, RedactMode::Values]
        .map(|mode| Redactor::new(mode).expect("the patterns are constants"));
}

fuzz_target!(|input: &[u8]| {
    let Some((selected, rest)) = input.split_first() else {
        return;
    };
    let form = FORMS[usize::from(*selected) % FORMS.len()];
    let words: Vec<&[u8]> = rest.split(|byte| *byte == 0).collect();
    let (before, after) = words.split_at(words.len() / 2);
    let planted: Vec<String> = form
        .iter()
        .map(|word| word.replace("SECRET", SECRET))
        .collect();
    let planted = planted.iter().map(String::as_bytes);
    let all: Vec<&[u8]> = before
        .iter()
        .copied()
        .chain(planted)
        .chain(after.iter().copied())
        .collect();
    let argv: Vec<u8> = all
        .iter()
        .flat_map(|word| word.iter().copied().chain([0]))
        .collect();
    let record = record(&argv, all.len() as u32);
    REDACTORS.with(|redactors| {
        for redactor in redactors {
            for format in [OutputFormat::Json, OutputFormat::Text] {
                let labels = Labels::new(&BTreeMap::new()).expect("an empty map can be JSON");
                let writer = Writer::new(format, labels).redacting(redactor.clone());
                let mut stream = Stream::new(writer);
                let mut lines = Vec::new();
                stream.record(&record, &mut lines).expect("it is a record");
                let lines = String::from_utf8(lines).expect("lines are UTF-8");
                assert!(!lines.contains(SECRET), "{form:?}: {lines}");
                assert!(lines.contains("[redacted]"), "{form:?}: {lines}");
            }
        }
    });
});
