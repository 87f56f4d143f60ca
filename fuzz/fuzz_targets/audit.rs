//! Any bytes as a log for `exectrail verify`.
#![no_main]
#![forbid(unsafe_code)]

use exectrail::internals::Audit;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|log: &[u8]| {
    let mut audit = Audit::default();
    for line in log.split(|byte| *byte == b'\n') {
        audit.read(line);
    }
    for run in audit.finish() {
        for fault in run.faults {
            assert!(!fault.to_string().is_empty());
        }
    }
});
