//! Any bytes as a log for `exectrail verify`.
#![no_main]
#![forbid(unsafe_code)]

use exectrail_reader::Audit;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|log: &[u8]| {
    let mut audit = Audit::default();
    for line in log.split(|byte| *byte == b'\n') {
        audit.read(line);
    }
    let report = audit.finish();
    let of_runs = report.runs.iter().map(|run| &run.faults);
    for fault in of_runs
        .chain([&report.faults])
        .flat_map(|faults| &faults.first)
    {
        assert!(!fault.to_string().is_empty());
    }
});
