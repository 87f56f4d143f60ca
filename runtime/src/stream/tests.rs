use bytemuck::bytes_of;
use exectrail_common::{
    record::{
        ArgvPiece, CpuStats, Exec, FLAG_ARGV_FAULT, FLAG_LAST_PIECE, KIND_ARGV_PIECE, KIND_EXEC,
        KIND_NS_FOUND, NsFound, Prefix,
    },
    target::{BY_CGROUP, BY_NETWORK, NsId, NsState},
};
use serde_json::Value;

use exectrail_preflight::pending_argv_bytes;

use super::*;
use crate::{config::OutputFormat, counters::Count, output::Labels, target::Known};

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

/// An exec in namespace 60 whose argv is `argv` of `argv_len` bytes.
fn exec(flags: u16, cpu: u16, seq: u64, argv: &[u8], argv_len: usize) -> Vec<u8> {
    let head = Exec {
        prefix: prefix(KIND_EXEC, flags, cpu, seq),
        ktime: 1000 + seq,
        target: 60,
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

/// `msg` of each line, and of execs the joined argv.
fn told(out: &[u8]) -> Vec<String> {
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

/// Tells all records, one after another.
fn tell(records: &[Vec<u8>]) -> Vec<String> {
    let mut out = Vec::new();
    let mut stream = stream();
    for record in records {
        stream.record(record, &mut out).unwrap();
    }
    stream.settle(&mut out);
    let mut told = told(&out);
    assert_eq!(told.remove(0), "workspace_started");
    told
}

#[test]
fn pieces_are_put_together_though_other_cpus_write_between() {
    let told = tell(&[
        exec(FLAG_CONTINUED, 0, 0, b"a\0b", 6),
        exec(0, 1, 0, b"x\0", 2),
        piece(0, 0, 0, 3, b"c\0"),
        exec(FLAG_CONTINUED, 1, 1, b"y", 3),
        piece(FLAG_LAST_PIECE, 0, 0, 5, b"\0"),
        piece(FLAG_LAST_PIECE, 1, 1, 1, b"z\0"),
    ]);
    assert_eq!(told, ["x", "a bc ", "yz"]);
}

#[test]
fn a_lost_piece_cuts_and_invents_nothing() {
    // The middle one is missing: what is behind it has no place.
    let told = tell(&[
        exec(FLAG_CONTINUED, 0, 0, b"ab", 8),
        piece(FLAG_LAST_PIECE, 0, 0, 5, b"ef\0"),
        exec(0, 0, 1, b"next\0", 5),
    ]);
    assert_eq!(told, ["ab (cut)", "next"]);
    // The last one is missing: the next exec of the CPU shows it.
    let told = tell(&[
        exec(FLAG_CONTINUED, 0, 0, b"ab", 8),
        piece(0, 0, 0, 2, b"cd"),
        exec(0, 0, 1, b"next\0", 5),
    ]);
    assert_eq!(told, ["abcd (cut)", "next"]);
    // All are missing, and nothing follows.
    assert_eq!(tell(&[exec(FLAG_CONTINUED, 0, 0, b"ab", 8)]), ["ab (cut)"]);
    // A fault in the middle.
    let told = tell(&[
        exec(FLAG_CONTINUED, 0, 0, b"ab", 8),
        piece(FLAG_ARGV_FAULT, 0, 0, 2, b"\0\0\0"),
        piece(FLAG_LAST_PIECE, 0, 0, 5, b"ef\0"),
    ]);
    assert_eq!(told, ["ab (cut)"]);
}

#[test]
fn what_is_put_together_at_once_is_bounded() {
    const LONG: usize = 1 << 20;
    let mut stream = stream().bounded(LONG as u32);
    let mut out = Vec::new();
    // On many CPUs at once, each with the longest argv there is.
    for cpu in 0..64 {
        let head = exec(FLAG_CONTINUED, cpu, 0, &[b'x'; 8192], LONG);
        stream.record(&head, &mut out).unwrap();
    }
    for offset in (8192..LONG).step_by(8192) {
        for cpu in 0..64 {
            let last = offset + 8192 == LONG;
            let flags = if last { FLAG_LAST_PIECE } else { 0 };
            let piece = piece(flags, cpu, 0, offset, &[b'x'; 8192]);
            stream.record(&piece, &mut out).unwrap();
        }
        let held: usize = stream.pending.values().map(|p| p.argv.capacity()).sum();
        let most = pending_argv_bytes(LONG as u64) as usize + 64 * 8192;
        assert!(held <= most, "{held} bytes are held, more than {most}");
    }
    let lines = std::str::from_utf8(&out).unwrap();
    let cut = lines.matches(r#""truncated":true"#).count();
    let whole = lines.matches(r#""truncated":false"#).count();
    // What found room is whole; what did not is flagged, with its true length.
    assert_eq!((whole, cut), (8, 56));
    assert_eq!(lines.matches(r#""argv_bytes":1048576"#).count(), 64);
}

#[test]
fn pieces_without_their_exec_are_nobodys() {
    let told = tell(&[
        exec(0, 0, 0, b"a\0", 2),
        piece(FLAG_LAST_PIECE, 0, 0, 2, b"b\0"),
        exec(FLAG_CONTINUED, 0, 1, b"c", 4),
        piece(0, 0, 7, 1, b"d\0"),
        piece(0, 3, 1, 1, b"d\0"),
    ]);
    assert_eq!(told, ["a", "c (cut)"]);
}

#[test]
fn a_loss_stands_before_what_followed_it() {
    let told = tell(&[
        exec(0, 0, 0, b"a\0", 2),
        exec(0, 1, 0, b"b\0", 2),
        exec(0, 0, 4, b"c\0", 2),
    ]);
    assert_eq!(told, ["a", "b", "lost 3", "c"]);
}

fn known(inum: u32, start: u64) -> Known {
    Known {
        id: NsId {
            start,
            inum,
            zero: 0,
        },
        state: NsState::default(),
    }
}

#[test]
fn workspaces_start_and_end_once() {
    let mut out = Vec::new();
    let mut stream = stream();
    let workspace = known(70, 1);
    stream.registered(&workspace, Found::Announcement, &mut out);
    stream.registered(&workspace, Found::Announcement, &mut out);
    assert_eq!(told(&out), ["workspace_started", "workspace_announced"]);
    out.clear();
    for id in [workspace.id, workspace.id, known(71, 1).id] {
        stream.ended(id);
    }
    // Its last execs may still be in the ring.
    assert_eq!(told(&out), [""; 0]);
    stream.record(&exec(0, 0, 0, b"a\0", 2), &mut out).unwrap();
    stream.finish(&mut out);
    assert_eq!(
        told(&out),
        [
            "workspace_started",
            "a",
            "workspace_ended",
            "tracing_stopped"
        ]
    );
}

#[test]
fn a_number_that_is_used_again_is_another_workspace() {
    let mut out = Vec::new();
    let mut stream = stream();
    stream.registered(&known(60, 1), Found::Announcement, &mut out);
    stream.registered(&known(60, 2), Found::Announcement, &mut out);
    // The end of the one before comes late.
    stream.ended(known(60, 1).id);
    stream.settle(&mut out);
    stream.record(&exec(0, 0, 0, b"a\0", 2), &mut out).unwrap();
    assert_eq!(
        told(&out),
        [
            "workspace_started",
            "workspace_ended",
            "workspace_started",
            "a"
        ]
    );
}

/// Announcements are heard at once, and what the ring has up to 60 ms later.
#[test]
fn what_the_ring_has_of_a_namespace_that_is_gone_ends_nothing() {
    let mut out = Vec::new();
    let mut stream = stream();
    stream.registered(&known(60, 1_000), Found::Announcement, &mut out);
    stream.registered(&known(60, 2_000), Found::Announcement, &mut out);
    out.clear();
    // Named already.
    stream
        .record(&found(60, 1_000, BY_NETWORK), &mut out)
        .unwrap();
    assert_eq!(told(&out), [""; 0]);
    // Between the two, and never announced.
    stream
        .record(&found(60, 1_500, BY_NETWORK), &mut out)
        .unwrap();
    stream
        .record(&found(60, 1_500, BY_NETWORK), &mut out)
        .unwrap();
    assert_eq!(told(&out), ["workspace_started", "workspace_ended"]);
    out.clear();
    stream.ended(known(60, 2_000).id);
    stream.settle(&mut out);
    stream.record(&exec(0, 0, 0, b"a\0", 2), &mut out).unwrap();
    assert_eq!(told(&out)[0], "workspace_ended");
}

/// What an earlier run traced has a line when the kernel has confirmed it by an exec, not before.
#[test]
fn a_workspace_of_an_earlier_run_is_named_at_its_next_exec() {
    let mut out = Vec::new();
    let mut stream = stream();
    let previous = Previous {
        run: "one".to_owned(),
        until: 700,
        targets: vec![known(60, 500).id, known(61, 600).id],
        left_out: 0,
    };
    let beginning = Beginning {
        at: 900,
        previous: Some(previous),
        ..Beginning::default()
    };
    stream.begin(&beginning, &mut out);
    stream.targets(&[known(60, 500), known(61, 600)], &mut out);
    stream.record(&exec(0, 0, 0, b"a\0", 2), &mut out).unwrap();
    // The other number is another namespace's by now.
    stream.registered(&known(61, 950), Found::Announcement, &mut out);
    let lines = lines(&out);
    assert_eq!(lines[0]["fields"]["previous_run"]["run"], "one");
    assert_eq!(lines[0]["fields"]["previous_run"]["gap_ns"], 200);
    let started = |line: &Value| {
        (
            line["fields"]["pid_ns"].clone(),
            line["fields"]["found"].clone(),
        )
    };
    assert_eq!(started(&lines[1]), (60.into(), "state".into()));
    assert_eq!(lines[1]["fields"]["untraced_ns"], 400);
    assert_eq!(started(&lines[3]), (61.into(), "announcement".into()));
    assert_eq!(lines.len(), 4);
}

#[test]
fn a_full_table_is_a_loss() {
    let mut out = Vec::new();
    let mut stream = stream();
    let unplaced = |execs, exits| CpuStats {
        unplaced_execs: execs,
        unplaced_exits: exits,
        ..CpuStats::default()
    };
    let mut count = Count {
        lanes: vec![vec![unplaced(2, 0), unplaced(3, 1)]],
        ..Count::default()
    };
    stream.count(&count, &mut out);
    stream.count(&count, &mut out);
    count.lanes[0][0].unplaced_execs = 4;
    stream.count(&count, &mut out);
    stream.finish(&mut out);
    let lines = lines(&out);
    let lost: Vec<_> = lines
        .iter()
        .filter(|line| line["msg"] == "lost")
        .map(|line| {
            let fields = &line["fields"];
            assert_eq!(
                (&line["level"], &fields["table"]),
                (&"WARN".into(), &"targets".into())
            );
            (
                fields["of"].as_str().unwrap(),
                fields["count"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(lost, [("exec", 5), ("exit", 1), ("exec", 2)]);
    assert_eq!(lines.last().unwrap()["fields"]["lost"], 7);
}

#[test]
fn lanes_of_a_cpu_have_numbers_and_pieces_of_their_own() {
    let in_second = |mut record: Vec<u8>| {
        // `Prefix::lane`, the first byte.
        record[0] = 1;
        record
    };
    let lines = tell(&[
        exec(FLAG_CONTINUED, 0, 0, b"long ", 9),
        // The first was preempted here.
        in_second(exec(0, 0, 0, b"other\0", 6)),
        piece(FLAG_LAST_PIECE, 0, 0, 5, b"one\0"),
        exec(0, 0, 1, b"next\0", 5),
        in_second(exec(0, 0, 2, b"later\0", 6)),
    ]);
    assert_eq!(lines, ["other", "long one", "next", "lost 1", "later"]);
}

#[test]
fn counts_tell_what_no_record_followed() {
    let mut out = Vec::new();
    let mut stream = stream();
    let lost = |lost| CpuStats {
        lost,
        ..CpuStats::default()
    };
    let count = Count {
        lanes: vec![vec![lost(0), lost(2)], vec![lost(0), lost(3)]],
        missed: Some(1),
        ..Count::default()
    };
    stream.count(&count, &mut out);
    stream.count(&count, &mut out);
    stream.finish(&mut out);
    assert_eq!(
        told(&out),
        ["lost 2", "lost 3", "lost 1", "tracing_stopped"]
    );
    let last: Value =
        serde_json::from_slice(out.split(|byte| *byte == b'\n').rev().nth(1).unwrap()).unwrap();
    assert_eq!(last["fields"]["lost"], 6);
}

/// Lines as JSON.
fn lines(out: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(out).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The record of a target that the probes have found.
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

#[test]
fn a_workspace_that_ran_before_says_for_how_long() {
    let mut out = Vec::new();
    let mut stream = stream();
    let beginning = Beginning {
        at: 5_000,
        discovery: true,
        own_level: 1,
        ..Beginning::default()
    };
    stream.begin(&beginning, &mut out);
    // Started before us, and after. What only its network ties to the pod may have been elsewhere
    // until it was found.
    stream
        .record(&found(60, 2_000, BY_CGROUP | BY_NETWORK), &mut out)
        .unwrap();
    stream.record(&exec(0, 0, 0, b"a\0", 2), &mut out).unwrap();
    stream
        .record(&found(61, 2_000, BY_NETWORK), &mut out)
        .unwrap();
    stream
        .record(&found(62, 8_000, BY_NETWORK), &mut out)
        .unwrap();
    let lines = lines(&out);
    let started: Vec<_> = lines
        .iter()
        .filter(|line| line["msg"] == "workspace_started")
        .map(|line| {
            let fields = &line["fields"];
            assert!(fields["started"].is_string());
            (fields["pid_ns"].clone(), fields["untraced_ns"].clone())
        })
        .collect();
    assert_eq!(
        started,
        [
            (60.into(), 3_000.into()),
            (61.into(), 7_000.into()),
            (62.into(), 0.into())
        ]
    );
}

#[test]
fn lines_tell_when_the_clock_is_set() {
    let mut out = Vec::new();
    let mut stream = stream();
    let tell = |stream: &mut Stream, seq, out: &mut Vec<u8>| {
        let mut record = exec(0, 0, seq, b"a\0", 2);
        let ktime = WallClock::boot_now();
        let at = std::mem::offset_of!(Exec, ktime);
        record[at..at + 8].copy_from_slice(&ktime.to_ne_bytes());
        stream.record(&record, out).unwrap();
        ktime
    };
    let now = WallClock::now();
    let hour = jiff::SignedDuration::from_hours(1);
    stream.hear_clock(now, &mut out);
    tell(&mut stream, 0, &mut out);
    stream.hear_clock(now.shifted(-hour), &mut out);
    let behind = tell(&mut stream, 1, &mut out);
    stream.hear_clock(now.shifted(hour), &mut out);
    let ahead = tell(&mut stream, 2, &mut out);
    let lines = lines(&out);
    let messages: Vec<_> = lines
        .iter()
        .map(|line| line["msg"].as_str().unwrap())
        .collect();
    assert_eq!(
        messages,
        [
            "workspace_started",
            "exec",
            "clock_set",
            "exec",
            "clock_set",
            "exec"
        ]
    );
    assert_eq!(lines[2]["fields"]["step_ns"], -3_600_000_000_000_i64);
    let time = |value: &Value| value.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let ts: Vec<jiff::Timestamp> = lines.iter().map(|line| time(&line["ts"])).collect();
    assert!(ts.is_sorted(), "{ts:?}");
    // Behind, the line bears the clock's own time; then `ts` is right again.
    assert_eq!(time(&lines[3]["clock"]), now.shifted(-hour).at(behind));
    assert_eq!(lines[5].get("clock"), None);
    assert_eq!(ts[5], now.shifted(hour).at(ahead));
}

#[test]
fn what_is_left_out_is_told_and_summed() {
    let exclude = vec!["filename=/usr/*".parse().unwrap()];
    let limits = Limits {
        rules: crate::rules::Rules::new(vec![], exclude).unwrap(),
        rate: None,
    };
    let mut out = Vec::new();
    let mut stream = stream().limited(limits);
    stream.begin(&Beginning::default(), &mut out);
    let tally = |number, count| Tally {
        cause: suppression::Cause::Rule(number),
        count,
        last: 7,
    };
    stream.suppressed(10, &[tally(0, 2)], &mut out);
    stream.suppressed(20, &[tally(0, 2)], &mut out);
    stream.suppressed(30, &[tally(0, 5)], &mut out);
    stream.finish(&mut out);
    assert_eq!(
        told(&out),
        [
            "tracing_started",
            "suppressed 2",
            "suppressed 3",
            "tracing_stopped"
        ]
    );
    let last: Value =
        serde_json::from_slice(out.split(|byte| *byte == b'\n').rev().nth(1).unwrap()).unwrap();
    assert_eq!(last["fields"]["suppressed"], 5);
}

/// A workspace all of whose execs are suppressed.
#[test]
fn workspaces_that_no_record_shows_begin_and_end() {
    let mut out = Vec::new();
    let mut stream = stream();
    stream.targets(&[known(60, 1)], &mut out);
    stream.targets(&[known(60, 1)], &mut out);
    stream.ended(known(60, 1).id);
    stream.settle(&mut out);
    assert_eq!(told(&out), ["workspace_started", "workspace_ended"]);
}
