use exectrail_common::record::FLAG_CONTINUED;
use exectrail_proof::Head;

use super::*;

fn begun() -> Stream {
    let mut stream = stream();
    let beginning = Beginning {
        at: 500,
        run: "0123456789ab".to_owned(),
        ..Beginning::default()
    };
    stream.begin(&beginning, &mut Vec::new());
    stream
}

#[test]
fn lines_are_numbered_and_a_checkpoint_has_the_counts_so_far() {
    let mut out = Vec::new();
    let mut stream = begun();
    stream.record(&exec(0, 0, 0, b"a\0", 2), &mut out).unwrap();
    stream.record(&exec(0, 3, 2, b"b\0", 2), &mut out).unwrap();
    let long = exec(FLAG_CONTINUED, 0, 1, b"c\0", 9);
    stream.record(&long, &mut out).unwrap();
    let checkpoint = stream.checkpoint(Head::default(), &mut out).unwrap();
    assert_eq!(checkpoint.line, 5);
    stream.finish(Some(Head::default()), &mut out).unwrap();
    let lines = lines(&out);
    for (number, line) in (1_u64..).zip(&lines) {
        assert_eq!(line["fields"]["line"], number, "{line}");
        assert_eq!(line["fields"]["run"], "0123456789ab", "{line}");
    }
    let fields = &lines[4]["fields"];
    assert_eq!(lines[4]["msg"], "checkpoint");
    // The exec with the long argv has no line yet.
    assert_eq!(fields["places"], serde_json::json!({"0": [1], "3": [1]}));
    assert_eq!((&fields["execs"], &fields["lost"]), (&2.into(), &2.into()));
    assert_eq!(fields["head"], "0".repeat(64));
    let fields = &lines.last().unwrap()["fields"];
    assert_eq!(fields["places"], serde_json::json!({"0": [2], "3": [1]}));
}

#[test]
fn a_checkpoint_claims_no_later_time_than_was_accounted() {
    let mut out = Vec::new();
    let mut stream = begun();
    let until = |stream: &mut Stream| {
        let mut out = Vec::new();
        stream.checkpoint(Head::default(), &mut out).unwrap();
        let until = lines(&out)[0]["fields"]["complete_until"].clone();
        until.as_str().unwrap().parse::<jiff::Timestamp>().unwrap()
    };
    let began = until(&mut stream);
    stream.accounted(2_000);
    assert_eq!(until(&mut stream).duration_since(began).as_nanos(), 1_500);
    // While an exec has no line yet, no further time is complete.
    let long = exec(FLAG_CONTINUED, 0, 0, b"c\0", 9);
    stream.record(&long, &mut out).unwrap();
    stream.accounted(3_000);
    assert_eq!(until(&mut stream).duration_since(began).as_nanos(), 1_500);
    stream.settle(&mut out);
    stream.accounted(4_000);
    assert_eq!(until(&mut stream).duration_since(began).as_nanos(), 3_500);
}

#[test]
fn no_checkpoint_comes_before_the_first_line() {
    let mut out = Vec::new();
    assert_eq!(stream().checkpoint(Head::default(), &mut out), None);
    assert!(out.is_empty());
}
