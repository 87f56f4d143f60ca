//! Any bytes as a log for `exectrail verify`.
#![no_main]
#![forbid(unsafe_code)]

use exectrail_reader::{Audit, Line, LineNumber, Lines, Sink, Stop, Unreadable};
use libfuzzer_sys::fuzz_target;

/// Gives all lines to the audit.
struct Auditing(Audit);

impl Sink for Auditing {
    fn line(&mut self, line: Line<'_>) -> Result<(), Stop> {
        self.0.read(line.number, line.bytes);
        Ok(())
    }

    fn unreadable(&mut self, _: LineNumber, why: Unreadable) {
        assert!(!why.to_string().is_empty());
    }
}

fuzz_target!(|log: &[u8]| {
    let mut audit = Auditing(Audit::default());
    let mut lines = Lines::default();
    assert_eq!(lines.push(log, &mut audit), Ok(()));
    let count = log.split_inclusive(|byte| *byte == b'\n').count() as u64;
    assert_eq!(lines.end_file(&mut audit), Ok(count));
    assert_eq!(lines.finish(&mut audit), Ok(()));
    let report = audit.0.finish();
    let of_runs = report.runs.iter().map(|run| &run.faults);
    for fault in of_runs
        .chain([&report.faults])
        .flat_map(|faults| &faults.first)
    {
        assert!(!fault.to_string().is_empty());
    }
});
