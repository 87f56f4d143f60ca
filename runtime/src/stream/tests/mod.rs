//! Tests of the stream: records and counts in, lines out.

mod argv;
mod checkpoints;
mod losses;
mod volume;
mod workspaces;

use bytemuck::bytes_of;
use exectrail_common::{
    counters::CpuStats,
    record::{
        ArgvPiece, Exec, FLAG_ARGV_FAULT, FLAG_CONTINUED, FLAG_LAST_PIECE, KIND_ARGV_PIECE,
        KIND_EXEC, KIND_NS_FOUND, NsFound, Prefix, Subject,
    },
    target::{BY_CGROUP, BY_NETWORK, NsId, NsState},
};
use serde_json::Value;

use exectrail_preflight::pending_argv_bytes;

use super::*;
use crate::{
    config::OutputFormat, handshake::verdict::Namespace, output::Labels, probes::counters::Count,
};

fn stream() -> Stream {
    let labels = Labels::new(&BTreeMap::new()).unwrap();
    Stream::new(Writer::new(OutputFormat::Json, labels))
}

fn prefix(kind: u8, flags: u16, cpu: u16, seq: u64) -> Prefix {
    Prefix {
        lane: 0,
        kind,
        flags,
        cpu,
        filename_len: 0,
        seq,
    }
}

/// An exec in the target 60. Its argv has `argv_len` bytes; the record has the first of them,
/// `argv`.
fn exec(flags: u16, cpu: u16, seq: u64, argv: &[u8], argv_len: usize) -> Vec<u8> {
    let head = Exec {
        prefix: prefix(KIND_EXEC, flags, cpu, seq),
        subject: Subject {
            ktime: 1000 + seq,
            target: 60,
            ..Subject::default()
        },
        argv_len: argv_len as u32,
        argv_head: argv.len() as u32,
        ..Exec::default()
    };
    [bytes_of(&head), argv].concat()
}

fn piece(flags: u16, cpu: u16, seq: u64, offset: usize, argv: &[u8]) -> Vec<u8> {
    let head = ArgvPiece {
        prefix: prefix(KIND_ARGV_PIECE, flags, cpu, seq),
        offset: offset as u32,
        len: argv.len() as u32,
    };
    [bytes_of(&head), argv].concat()
}

/// A short text for each line: its `msg`, with the count of `lost` and `suppressed`; for execs the
/// joined argv.
fn summaries(out: &[u8]) -> Vec<String> {
    let text = std::str::from_utf8(out).unwrap();
    text.lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            match line["msg"].as_str().unwrap() {
                "exec" => {
                    let event = &line["fields"]["event"];
                    let cut = if event["truncated"] == true {
                        " (cut)"
                    } else {
                        ""
                    };
                    let argv = event["argv"].as_array().unwrap();
                    let argv: Vec<_> = argv.iter().map(|word| word.as_str().unwrap()).collect();
                    argv.join(" ") + cut
                }
                msg @ ("lost" | "suppressed") => format!("{msg} {}", line["fields"]["count"]),
                other => other.to_owned(),
            }
        })
        .collect()
}

/// Short texts for the lines of records, without the first one, `workspace_started`.
fn summaries_of_records(records: &[Vec<u8>]) -> Vec<String> {
    let mut out = Vec::new();
    let mut stream = stream();
    for record in records {
        stream.record(record, &mut out).unwrap();
    }
    stream.settle(&mut out);
    let mut lines = summaries(&out);
    assert_eq!(lines.remove(0), "workspace_started");
    lines
}

fn known(inum: u32, start: u64) -> Namespace {
    Namespace {
        id: NsId {
            start,
            inum,
            zero: 0,
        },
        state: NsState::default(),
    }
}

/// Lines as JSON.
fn lines(out: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(out).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The record of a target that the probes found.
fn found(inum: u32, start: u64, by: u32) -> Vec<u8> {
    let found = NsFound {
        prefix: prefix(KIND_NS_FOUND, 0, 0, 0),
        id: NsId {
            start,
            inum,
            zero: 0,
        },
        ktime: 9_000,
        level: 1,
        by,
    };
    bytes_of(&found).to_vec()
}
