//! The exectrail binary; all code is in the library.

use std::process::ExitCode;

/// Called by the C library before the standard library starts.
// SAFETY: the section holds pointers to functions without arguments (System V ABI, "Initialization
// and Termination Functions"). glibc passes three arguments, which a C function may ignore.
#[used]
#[expect(unsafe_code, reason = "a section of its own")]
#[unsafe(link_section = ".init_array")]
static NOTE_CLOSED_STREAMS: extern "C" fn() = exectrail::note_closed;

fn main() -> ExitCode {
    exectrail::main()
}
