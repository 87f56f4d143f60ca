//! The evidence for an announcement: an exec in the namespace.

use std::process::Stdio;

use crate::process::{report, this_program};

/// Executes a program here, as evidence: this process may have been executed before tracing was on.
pub(super) fn show_evidence() {
    let mut program = this_program();
    program.arg("--version").stdout(Stdio::null());
    if let Err(error) = program.status() {
        report(&format!(
            "exectrail announce: cannot execute itself: {error}"
        ));
    }
}
