//! Long argv in pieces.

use exectrail_testbed::long_argv;
use serde_json::Value;

use super::*;

#[test]
fn pieces_are_put_together_though_other_cpus_write_between() {
    let summaries = summaries_of_records(&[
        exec(FLAG_CONTINUED, 0, 0, b"a\0b", 6),
        exec(0, 1, 0, b"x\0", 2),
        piece(0, 0, 0, 3, b"c\0"),
        exec(FLAG_CONTINUED, 1, 1, b"y", 3),
        piece(FLAG_LAST_PIECE, 0, 0, 5, b"\0"),
        piece(FLAG_LAST_PIECE, 1, 1, 1, b"z\0"),
    ]);
    assert_eq!(summaries, ["x", "a bc ", "yz"]);
}

#[test]
fn a_lost_piece_cuts_and_invents_nothing() {
    // The middle piece is missing: argv ends there.
    let summaries = summaries_of_records(&[
        exec(FLAG_CONTINUED, 0, 0, b"ab", 8),
        piece(FLAG_LAST_PIECE, 0, 0, 5, b"ef\0"),
        exec(0, 0, 1, b"next\0", 5),
    ]);
    assert_eq!(summaries, ["ab (cut)", "next"]);
    // The last piece is missing: the next exec of the CPU shows this.
    let summaries = summaries_of_records(&[
        exec(FLAG_CONTINUED, 0, 0, b"ab", 8),
        piece(0, 0, 0, 2, b"cd"),
        exec(0, 0, 1, b"next\0", 5),
    ]);
    assert_eq!(summaries, ["abcd (cut)", "next"]);
    // All pieces are missing, and nothing follows.
    assert_eq!(
        summaries_of_records(&[exec(FLAG_CONTINUED, 0, 0, b"ab", 8)]),
        ["ab (cut)"]
    );
    // A fault in the middle.
    let summaries = summaries_of_records(&[
        exec(FLAG_CONTINUED, 0, 0, b"ab", 8),
        piece(FLAG_ARGV_FAULT, 0, 0, 2, b"\0\0\0"),
        piece(FLAG_LAST_PIECE, 0, 0, 5, b"ef\0"),
    ]);
    assert_eq!(summaries, ["ab (cut)"]);
}

#[test]
fn what_is_put_together_at_once_is_bounded() {
    const LONG: usize = 1 << 20;
    let mut stream = stream().bounded(LONG as u32);
    let mut out = Vec::new();
    // On many CPUs at once, each with an argv of maximum length.
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
    let lines = std::str::from_utf8(&out).unwrap().lines();
    let lines = lines.map(|line| serde_json::from_str(line).unwrap());
    let execs = long_argv::joined(lines);
    let with = |key: &str, value: Value| {
        let events = execs.iter().map(|line| &line["fields"]["event"]);
        events.filter(|event| event[key] == value).count()
    };
    let (whole, cut) = (
        with("truncated", false.into()),
        with("truncated", true.into()),
    );
    // An argv for which there was memory is complete. Any other is flagged, with its true length.
    assert_eq!((whole, cut), (8, 56));
    assert_eq!(with("argv_bytes", LONG.into()), 64);
}

#[test]
fn pieces_without_their_exec_are_nobodys() {
    let summaries = summaries_of_records(&[
        exec(0, 0, 0, b"a\0", 2),
        piece(FLAG_LAST_PIECE, 0, 0, 2, b"b\0"),
        exec(FLAG_CONTINUED, 0, 1, b"c", 4),
        piece(0, 0, 7, 1, b"d\0"),
        piece(0, 3, 1, 1, b"d\0"),
    ]);
    assert_eq!(summaries, ["a", "c (cut)"]);
}

#[test]
fn lanes_of_a_cpu_have_numbers_and_pieces_of_their_own() {
    let in_second = |mut record: Vec<u8>| {
        // `Prefix::lane`, the first byte.
        record[0] = 1;
        record
    };
    let lines = summaries_of_records(&[
        exec(FLAG_CONTINUED, 0, 0, b"long ", 9),
        // The program in the first lane was preempted here.
        in_second(exec(0, 0, 0, b"other\0", 6)),
        piece(FLAG_LAST_PIECE, 0, 0, 5, b"one\0"),
        exec(0, 0, 1, b"next\0", 5),
        in_second(exec(0, 0, 2, b"later\0", 6)),
    ]);
    assert_eq!(lines, ["other", "long one", "next", "lost 1", "later"]);
}
