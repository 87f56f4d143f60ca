//! Any bytes as the kernel's BTF: the result is offsets or an error.
#![no_main]
#![forbid(unsafe_code)]

use exectrail_preflight::offsets;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = offsets::resolve(bytes);
});
