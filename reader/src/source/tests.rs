use proptest::prelude::*;
use serde_json::json;

use super::*;

/// The lines and faults that were read.
#[derive(Debug, Default, PartialEq)]
struct Read {
    lines: Vec<(LineNumber, String)>,
    diagnostics: usize,
    unreadable: Vec<(LineNumber, Unreadable)>,
}

impl Sink for Read {
    fn line(&mut self, line: Line<'_>) -> Result<(), Stop> {
        let text = String::from_utf8(line.bytes.to_vec()).unwrap();
        self.lines.push((line.number, text));
        self.diagnostics += usize::from(line.is_diagnostic);
        Ok(())
    }

    fn unreadable(&mut self, number: LineNumber, why: Unreadable) {
        self.unreadable.push((number, why));
    }
}

impl Read {
    fn texts(&self) -> Vec<&str> {
        self.lines.iter().map(|(_, text)| text.as_str()).collect()
    }
}

/// Reads files, each in chunks.
fn read_chunks(files: &[Vec<&[u8]>]) -> Read {
    let mut read = Read::default();
    let mut lines = Lines::default();
    for chunks in files {
        for chunk in chunks {
            lines.push(chunk, &mut read).unwrap();
        }
        lines.end_file(&mut read).unwrap();
    }
    lines.finish(&mut read).unwrap();
    read
}

fn read(file: &str) -> Read {
    read_chunks(&[vec![file.as_bytes()]])
}

const TIME: &str = "2026-11-24T04:04:15.250408602Z";

fn line(msg: &str) -> String {
    let cmdline = format!("{msg} $'\\033' {{}} é");
    let fields = json!({"cmdline": cmdline});
    format!(r#"{{"ts":"{TIME}","level":"INFO","msg":"exec","fields":{fields}}}"#)
}

#[test]
fn records_of_collectors_have_the_line_in_a_key() {
    let ours = line("a");
    let object: serde_json::Value = serde_json::from_str(&ours).unwrap();
    let kubernetes = json!({"pod_name": "p"});
    for record in [
        json!({"date": 1.5, "log": ours, "kubernetes": kubernetes}),
        json!({"time": TIME, "stream": "stdout", "_p": "F", "log": ours}),
        json!({"time": TIME, "stream": "stdout", "logtag": "F", "log": ours}),
        json!({"message": ours, "file": "/var/log/containers/x.log", "stream": "stdout"}),
        json!({"MESSAGE": ours, "CONTAINER_NAME": "k8s_x", "_PID": "1"}),
        json!({"msg": ours}),
        json!({"labels": {"app": "x"}, "line": ours, "timestamp": TIME}),
        json!({"eventId": "1", "ingestionTime": 1, "message": ours, "timestamp": 1}),
        json!({"@timestamp": TIME, "@message": ours}),
        json!({"textPayload": ours}),
        json!({"body": ours}),
        json!({"_raw": ours}),
        json!({"log": object}),
        json!({"message": object}),
        json!({"log_processed": object, "log": "not json"}),
        json!({"_index": "x", "_source": {"log": ours}}),
        json!({"log": format!("{TIME} stdout F {ours}")}),
        json!({"log": ours.clone() + "\n", "stream": "stdout", "time": TIME}),
        json!({"log": ours, "stream": "stdout", "time": TIME}),
        json!({"message": "got {x}", "line": ours}),
        json!({"log": "{", "msg": ours}),
    ] {
        let found = read(&format!("{record}\n"));
        let [(1, text)] = &found.lines[..] else {
            panic!("{record}: {found:?}");
        };
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(text).unwrap(),
            object
        );
        assert_eq!(found.unreadable, [], "{record}");
    }
    // The first key is `ts`, as in exectrail's lines.
    let record = format!(r#"{{"ts":"{TIME}","log":{}}}"#, json!(ours));
    assert_eq!(read(&format!("{record}\n")).texts(), [ours]);
}

#[test]
fn what_cannot_be_read_is_named_and_the_rest_is_read() {
    let ours = line("a");
    let log = format!(
        "panic: x\n{ours}\n{{\"level\":\"info\"}}\n{{\"events\":[{{}}]}}\n{{\"a\n\n{ours}\n{}",
        &ours[..20]
    );
    let found = read(&log);
    assert_eq!(found.lines, [(2, ours.clone()), (7, ours)]);
    assert_eq!(
        found.unreadable,
        [
            (1, Unreadable::NotJson),
            (3, Unreadable::NotOurs),
            (4, Unreadable::Document),
            (5, Unreadable::NotJson),
            (6, Unreadable::NotJson),
            (8, Unreadable::Cut),
        ]
    );
}

#[test]
fn a_last_line_without_a_line_break_is_read_if_it_is_whole() {
    let ours = line("a");
    assert_eq!(read(&ours).texts(), [ours.as_str()]);
    let cri = format!("{TIME} stdout F {ours}");
    assert_eq!(read(&cri).texts(), [ours.as_str()]);
    let cut = read(&cri[..cri.len() - 2]);
    assert_eq!(
        cut.lines.len(),
        1,
        "the reader of the line sees that it is cut"
    );
}

#[test]
fn parts_continue_in_the_next_file_and_the_next_line_ends_a_cut_one() {
    let ours = line("a");
    let (first, second) = ours.split_at(30);
    let [begin, end] = [
        format!("{TIME} stdout P {first}\n"),
        format!("{TIME} stdout F {second}\n"),
    ];
    let other = format!("{TIME} stderr F {}\n", line("b"));
    let next = format!("{TIME} stdout F {ours}\n");
    let found = read_chunks(&[
        vec![begin.as_bytes(), other.as_bytes()],
        vec![end.as_bytes()],
    ]);
    assert_eq!(found.lines, [(2, line("b")), (1, ours.clone())]);
    assert_eq!((found.diagnostics, found.unreadable.len()), (1, 0));
    let found = read_chunks(&[vec![begin.as_bytes()], vec![next.as_bytes()]]);
    assert_eq!(found.texts(), [ours.as_str()]);
    assert_eq!(found.unreadable, [(1, Unreadable::Cut)]);
    let found = read_chunks(&[vec![end.as_bytes()], vec![next.as_bytes()]]);
    assert_eq!(found.texts(), [ours.as_str()]);
    assert_eq!(found.unreadable.len(), 1);
    let found = read_chunks(&[vec![begin.as_bytes()]]);
    assert_eq!(found.unreadable, [(1, Unreadable::Cut)]);
}

#[test]
fn parts_that_never_end_take_limited_memory() {
    let mut read = Read::default();
    let mut lines = Lines::default();
    for number in 0..2_000 {
        let part = format!("[pod/p{number}/c] {TIME} stdout P {{\"ts\":\"\n");
        lines.push(part.as_bytes(), &mut read).unwrap();
    }
    assert_eq!(read.unreadable.len(), 2_000 - 256);
    lines.finish(&mut read).unwrap();
    assert_eq!(read.unreadable.len(), 2_000);
}

#[test]
fn a_line_that_is_too_long_is_skipped() {
    let (mut read, mut lines) = (Read::default(), Lines::default());
    let chunk = vec![b'x'; 1024 * 1024];
    for _ in 0..200 {
        lines.push(&chunk, &mut read).unwrap();
    }
    let ours = line("a");
    lines.push(b"\n", &mut read).unwrap();
    lines
        .push(format!("{ours}\n").as_bytes(), &mut read)
        .unwrap();
    assert_eq!(read.unreadable, [(1, Unreadable::TooLong)]);
    assert_eq!(read.lines, [(2, ours)]);
}

/// A text that a line may contain.
fn texts() -> impl Strategy<Value = String> {
    prop::collection::vec(
        prop_oneof![
            Just("{\"ts\":\"".to_owned()),
            Just("\n".to_owned()),
            Just(" stdout F ".to_owned()),
            Just("{}".to_owned()),
            Just("}".to_owned()),
            ".{0,12}",
        ],
        0..6,
    )
    .prop_map(|parts| parts.concat())
}

/// Places for a division, as shares of the length.
fn divisions() -> impl Strategy<Value = Vec<prop::sample::Index>> {
    prop::collection::vec(any::<prop::sample::Index>(), 0..6)
}

/// Divides a text between characters.
fn divided<'a>(text: &'a str, divisions: &[prop::sample::Index]) -> Vec<&'a str> {
    let mut at: Vec<usize> = divisions
        .iter()
        .map(|index| index.index(text.len() + 1))
        .filter(|at| text.is_char_boundary(*at))
        .chain([0, text.len()])
        .collect();
    at.sort_unstable();
    at.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect()
}

fn cri(line: &str, divisions: &[prop::sample::Index]) -> Vec<String> {
    let parts = divided(line, divisions);
    let last = parts.len() - 1;
    let tag = |at| if at == last { 'F' } else { 'P' };
    let all = parts.iter().enumerate();
    all.map(|(at, part)| format!("{TIME} stdout {} {part}\n", tag(at)))
        .collect()
}

fn docker(line: &str, divisions: &[prop::sample::Index]) -> Vec<String> {
    let line = format!("{line}\n");
    let parts = divided(&line, divisions);
    let record = |part| json!({"log": part, "stream": "stdout", "time": TIME});
    parts
        .into_iter()
        .map(|part| format!("{}\n", record(part)))
        .collect()
}

proptest! {
    #[test]
    fn any_division_into_parts_and_chunks_gives_the_same_lines(
        given in prop::collection::vec((texts(), divisions(), 0..4_usize), 0..8),
        chunks in divisions(),
        rotated_at in any::<prop::sample::Index>(),
        is_docker in any::<bool>(),
    ) {
        let mut file = Vec::new();
        let mut expected = Vec::new();
        for (text, divisions, others) in &given {
            let line = line(text);
            let parts = if is_docker { docker(&line, divisions) } else { cri(&line, divisions) };
            expected.push(line);
            for (at, part) in parts.into_iter().enumerate() {
                // Whole lines of standard error come between the parts.
                if at < *others {
                    let other = self::line("diagnostic").replace("exec", "x");
                    file.push(if is_docker {
                        docker(&other, &[])[0].replace("stdout", "stderr")
                    } else {
                        cri(&other, &[])[0].replace("stdout", "stderr")
                    });
                }
                file.push(part);
            }
        }
        // Rotation divides the file between lines, and chunks divide it between any two characters.
        let (old, new) = file.split_at(rotated_at.index(file.len() + 1));
        let (old, new) = (old.concat(), new.concat());
        let found = read_chunks(&[
            divided(&old, &chunks).into_iter().map(str::as_bytes).collect(),
            divided(&new, &chunks).into_iter().map(str::as_bytes).collect(),
        ]);
        let events: Vec<&str> = found.texts().into_iter()
            .filter(|text| !text.contains("diagnostic"))
            .collect();
        prop_assert_eq!(events, expected);
        prop_assert_eq!(found.unreadable, []);
    }

    #[test]
    fn no_bytes_make_it_panic_and_chunks_make_no_difference(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        begin in prop::sample::select(vec!["", "{\"log\":", "{\"ts\":\"", "2026-11-24T04:04:15Z "]),
        cut in any::<prop::sample::Index>(),
    ) {
        let file = [begin.as_bytes(), &bytes].concat();
        struct Count(Vec<Vec<u8>>, Vec<(LineNumber, Unreadable)>);
        impl Sink for Count {
            fn line(&mut self, line: Line<'_>) -> Result<(), Stop> {
                self.0.push(line.bytes.to_vec());
                Ok(())
            }
            fn unreadable(&mut self, number: LineNumber, why: Unreadable) {
                self.1.push((number, why));
            }
        }
        let read = |chunks: &[&[u8]]| {
            let (mut lines, mut sink) = (Lines::default(), Count(Vec::new(), Vec::new()));
            for chunk in chunks {
                lines.push(chunk, &mut sink).unwrap();
            }
            lines.end_file(&mut sink).unwrap();
            lines.finish(&mut sink).unwrap();
            (sink.0, sink.1)
        };
        let (one, two) = file.split_at(cut.index(file.len() + 1));
        prop_assert_eq!(read(&[&file]), read(&[one, two]));
    }
}
