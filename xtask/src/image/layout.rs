//! Paths in the image.

/// The program.
pub(super) const PROGRAM: &str = "usr/bin/exectrail";

/// The program's second name, which is its name in exectrace's image.
pub(super) const SECOND_NAME: &str = "opt/exectrace";
