//! Any text as the value of a flag.
#![no_main]
#![forbid(unsafe_code)]

use exectrail::internals::{RateLimit, Rule, duration, label};
use exectrail_preflight::values::{address, argv_size, ring_size, size};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|value: &str| {
    let _ = (address(value), duration(value), label(value), size(value));
    if let Ok(bytes) = ring_size(value) {
        assert!(bytes.is_power_of_two() && bytes >= 4096);
    }
    if let Ok(bytes) = argv_size(value) {
        assert!(bytes <= 6 << 20);
    }
    // A rule or a rate, written as text and parsed, is the same rule or rate.
    if let Ok(rule) = value.parse::<Rule>() {
        assert_eq!(rule.to_string().parse(), Ok(rule));
    }
    if let Ok(rate) = value.parse::<RateLimit>() {
        assert_eq!(rate.to_string().parse(), Ok(rate));
    }
});
