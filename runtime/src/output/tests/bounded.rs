//! No line is too long, and no part of argv is missing without a flag.

use exectrail_testbed::long_argv;

use super::*;
use crate::event::keys::Fields;

/// The lines of an exec, of at most `longest` bytes each.
fn lines_of(
    longest: usize,
    keys: KeySet,
    event: ExecEvent<'_>,
    redactor: Option<Redactor>,
) -> Vec<Value> {
    let mut lines = Vec::new();
    let mut writer = writer(OutputFormat::Json)
        .with_keys(keys)
        .bounded(longest)
        .redacting(redactor);
    writer.begin("11111111-2222-3333-4444-555555555555");
    writer.write(&mut lines, ts().into(), &Event::Exec(event));
    let lines = String::from_utf8(lines).unwrap();
    for (number, line) in lines.split_inclusive('\n').enumerate() {
        assert!(line.len() <= longest, "{} bytes", line.len());
        assert!(line.ends_with(&format!(",\"line\":{number}}}}}\n")));
    }
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The exec of these lines, with its whole argv.
fn joined(lines: Vec<Value>) -> Value {
    let mut joined = long_argv::joined(lines);
    assert_eq!(joined.len(), 1);
    joined.remove(0)["fields"]["event"].take()
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        3 => "[ -~]{0,3000}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>().prop_map(|byte| byte.max(1)), 0..3000),
        1 => prop::collection::vec(prop::sample::select(&b"\x01\\\"\xff"[..]), 0..5000),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 64, ..Default::default() })]

    /// No texts make a line longer than allowed, or lose a byte of argv.
    #[test]
    fn no_line_is_too_long_and_argv_is_whole(
        arguments in prop::collection::vec(text(), 0..12),
        texts in prop::collection::vec(text(), 6),
        longest in 8_000usize..20_000,
        all in any::<bool>(),
    ) {
        let (head, argv) = record(&arguments);
        let event = ExecEvent {
            head: &head,
            argv: &argv,
            filename: &texts[0],
            stack_filename: &texts[1],
            exe: Some(&texts[2]),
            cwd: Some(&texts[3]),
            parent: Some(Parent { exe: Some(&texts[4]), argv: &texts[5], argv_truncated: false }),
            containers: None,
        };
        let keys = KeySet::of(if all { Fields::All } else { Fields::Default });
        let exec = joined(lines_of(longest, keys, event, None));
        let is_text = std::str::from_utf8(&argv).is_ok();
        let shown: Vec<String> = arguments
            .iter()
            .map(|bytes| bytes::Text { bytes, escaped: !is_text }.to_string())
            .collect();
        prop_assert!(exec["argv"] == serde_json::json!(shown));
        prop_assert_eq!(&exec["truncated"], false);
        // Each key whose text is cut is listed.
        let cut = exec["cut"].as_array().cloned().unwrap_or_default();
        for (key, whole) in [("filename", &texts[0]), ("exe", &texts[2]), ("cwd", &texts[3])] {
            let shown = exec[key].as_str().unwrap();
            let escaped = std::str::from_utf8(whole).is_err();
            let is_whole = shown == bytes::Text { bytes: whole, escaped }.to_string();
            prop_assert_eq!(!is_whole, cut.contains(&key.into()), "{}", key);
        }
    }

    /// Without the key `argv_continues` an exec has one line, which says whether argv is whole.
    #[test]
    fn exectrace_has_one_line(arguments in prop::collection::vec(text(), 0..12)) {
        let (head, argv) = record(&arguments);
        let keys = KeySet::of(Fields::Exectrace);
        let mut line = Vec::new();
        let event = event(&head, &argv, b"/bin/true");
        writer(OutputFormat::Json).with_keys(keys).bounded(8_000).write(
            &mut line,
            ts().into(),
            &Event::Exec(event),
        );
        prop_assert!(line.len() <= 8_000);
        let line: Value = serde_json::from_slice(&line).unwrap();
        let event = &line["fields"]["event"];
        let shown = event["argv"].as_array().unwrap();
        let is_text = std::str::from_utf8(&argv).is_ok();
        let whole: Vec<_> = arguments
            .iter()
            .map(|bytes| Value::String(bytes::Text { bytes, escaped: !is_text }.to_string()))
            .collect();
        prop_assert_eq!(event["truncated"] == true, *shown != whole);
        for (shown, whole) in shown.iter().zip(&whole) {
            prop_assert!(whole.as_str().unwrap().starts_with(shown.as_str().unwrap()));
        }
    }

    /// A text line is one line, and not longer than allowed.
    #[test]
    fn text_lines_are_bounded(arguments in prop::collection::vec(text(), 0..12)) {
        let (head, argv) = record(&arguments);
        let event = event(&head, &argv, b"/bin/true");
        let mut line = Vec::new();
        let mut writer = writer(OutputFormat::Text).bounded(8_000);
        writer.write(&mut line, ts().into(), &Event::Exec(event));
        let line = String::from_utf8(line).unwrap();
        prop_assert!(line.len() <= 8_000 && line.lines().count() == 1 && line.ends_with('\n'));
    }
}

/// At every length around the limit, a line has all of argv or says that a part is missing.
#[test]
fn no_length_is_between_whole_and_continued() {
    for (fields, length) in (2_400..3_300).flat_map(|length: usize| {
        [Fields::Default, Fields::Exectrace].map(|fields| (fields, length))
    }) {
        // Short arguments, so that the line can end at any of them, and a last argument of up to 13
        // bytes.
        let mut argv = b"ab\0".repeat(length);
        argv.resize(argv.len() + length % 14, b'x');
        argv.push(0);
        let head = Exec {
            argc: (length + 1) as u32,
            argv_len: argv.len() as u32,
            argv_early: argv.len() as u32,
            ..head()
        };
        let event = event(&head, &argv, b"/bin/true");
        let whole: Vec<_> = event.arguments().collect();
        if fields == Fields::Default {
            let exec = joined(lines_of(16_000, KeySet::of(fields), event, None));
            assert_eq!(exec["argv"].as_array().unwrap().len(), whole.len());
            assert_eq!(exec["truncated"], false);
        } else {
            let mut line = Vec::new();
            let mut writer = writer(OutputFormat::Json).with_keys(KeySet::of(fields));
            writer.write(&mut line, ts().into(), &Event::Exec(event));
            let line: Value = serde_json::from_slice(&line).unwrap();
            let event = &line["fields"]["event"];
            let is_whole = event["argv"].as_array().unwrap().len() == whole.len();
            assert_eq!(event["truncated"] == false, is_whole, "{length}");
        }
    }
}
