//! Makes logs, in the forms that runtimes and collectors give them.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use exectrail_proof::{Chain, Head};
use flate2::{Compression, write::GzEncoder};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use serde_json::json;

pub(crate) const TIME: &str = "2026-11-24T04:04:15.250408602Z";

/// Runs `exectrail-log`.
pub(crate) fn exectrail_log(arguments: &[&str], files: &[&Path]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_exectrail-log"));
    command.args(arguments).args(files).output().unwrap()
}

/// Standard output of a successful run.
pub(crate) fn output_of(arguments: &[&str], files: &[&Path]) -> String {
    let output = exectrail_log(arguments, files);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The lines of a whole run, with the keys that `verify` needs.
pub(crate) fn run(run: &str, execs: u64) -> Vec<String> {
    run_with(run, r#""version":"9.9.9","#, execs)
}

/// The lines of a whole run, whose first line also has the keys `first`.
pub(crate) fn run_with(run: &str, first: &str, execs: u64) -> Vec<String> {
    let mut chain = Chain::new(Head::default());
    let mut lines: Vec<String> = Vec::new();
    let mut add = |chain: &mut Chain, msg: &str, fields: &str| {
        let number = lines.len();
        let line = format!(
            r#"{{"ts":"2026-11-24T04:04:{number:02}.250408602Z","level":"INFO","msg":"{msg}","#
        ) + &format!(r#""fields":{{{fields}"run":"{run}","line":{number}}}}}"#);
        chain.update(line.as_bytes());
        chain.update(b"\n");
        lines.push(line);
    };
    add(&mut chain, "tracing_started", first);
    for seq in 0..execs {
        // The argv of the second exec is longer than a part of a CRI file.
        let long = "é\u{7}{} ".repeat(if seq == 1 { 6_000 } else { 1 });
        let argv = json!(["echo", long]);
        let event = format!(
            r#""cmdline":{},"event":{{"argv":{argv},"cpu":0,"seq":{seq}}},"#,
            argv[1]
        );
        add(&mut chain, "exec", &event);
    }
    let head = chain.next_head();
    let end = format!(
        r#""execs":{execs},"lost":0,"suppressed":0,"places":{{"0":[{execs}]}},"head":"{head}","#
    ) + &format!(r#""complete_until":"{TIME}","#);
    add(&mut chain, "tracing_stopped", &end);
    lines
}

/// Writes a file.
pub(crate) fn file(directory: &Path, name: &str, content: &[u8]) -> PathBuf {
    let path = directory.join(name);
    fs::write(&path, content).unwrap();
    path
}

/// The lines as plain text.
pub(crate) fn plain(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// The lines, each after a prefix.
pub(crate) fn prefixed(prefix: &str, lines: &[String]) -> String {
    let prefixed = lines.iter().map(|line| format!("{prefix}{line}\n"));
    prefixed.collect()
}

/// Divides a line into parts of at most 16 KiB, as container runtimes do. Never divides a
/// character.
fn parts(line: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    for c in line.chars() {
        if parts[parts.len() - 1].len() + c.len_utf8() > 16 * 1024 {
            parts.push(String::new());
        }
        let last = parts.len() - 1;
        parts[last].push(c);
    }
    parts
}

/// The lines as a CRI file. Each part is followed by a diagnostic on standard error.
pub(crate) fn cri(lines: &[String]) -> String {
    let mut file = String::new();
    for line in lines {
        let parts = parts(line);
        for (at, part) in parts.iter().enumerate() {
            let tag = if at + 1 == parts.len() { 'F' } else { 'P' };
            file.push_str(&format!("{TIME} stdout {tag} {part}\n"));
            let diagnostic = r#"{"ts":"1","level":"INFO","msg":"workspace","fields":{}}"#;
            file.push_str(&format!("{TIME} stderr F {diagnostic}\n"));
        }
    }
    file
}

/// The lines as Docker's json-file.
pub(crate) fn docker(lines: &[String]) -> String {
    let all = lines.iter().flat_map(|line| parts(&format!("{line}\n")));
    let record = |part| {
        format!(
            "{}\n",
            json!({"log": part, "stream": "stdout", "time": TIME})
        )
    };
    all.map(record).collect()
}

/// The lines as records of a collector. Each record has its line in the key `key`.
pub(crate) fn records(key: &str, lines: &[String]) -> String {
    let record = |line| format!("{}\n", json!({key: line, "host": "node-1"}));
    lines.iter().map(record).collect()
}

/// Compresses a text as two gzip members.
pub(crate) fn gzip(text: &str) -> Vec<u8> {
    let (one, two) = text.as_bytes().split_at(text.len() / 2);
    let mut file = Vec::new();
    for part in [one, two] {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(part).unwrap();
        file.extend(encoder.finish().unwrap());
    }
    file
}

/// Compresses a text as two zstd frames. Before each is a frame that decoders skip.
pub(crate) fn zstd(text: &str) -> Vec<u8> {
    let (one, two) = text.as_bytes().split_at(text.len() / 2);
    let frame = |part| compress_to_vec(part, CompressionLevel::Fastest);
    let skipped = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
    [skipped.clone(), frame(one), skipped, frame(two)].concat()
}
