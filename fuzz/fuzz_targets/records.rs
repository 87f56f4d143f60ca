//! Any bytes as ring records: no panic, and every line is one line of JSON.
#![no_main]

use std::collections::BTreeMap;

use exectrail::{
    config::OutputFormat,
    output::{Labels, Writer},
    stream::Stream,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|records: Vec<Vec<u8>>| {
    for format in [OutputFormat::Json, OutputFormat::Text] {
        let labels = Labels::new(&BTreeMap::new()).expect("no labels are JSON");
        let mut stream = Stream::new(Writer::new(format, labels));
        let mut lines = Vec::new();
        for record in &records {
            let before = lines.len();
            let told = stream.record(record, &mut lines);
            assert!(
                told.is_ok() || lines.len() == before,
                "a refused record left a trace"
            );
        }
        stream.finish(&mut lines);
        let lines = String::from_utf8(lines).expect("lines are UTF-8");
        assert!(lines.ends_with('\n'));
        for line in lines.lines() {
            assert!(
                !line.chars().any(char::is_control),
                "a control character in {line:?}"
            );
            assert!(format == OutputFormat::Text || line.starts_with('{') && line.ends_with('}'));
        }
    }
});
