//! Paths in the image.

/// The program.
pub(super) const PROGRAM: &str = "usr/bin/exectrail";

/// The program's second name: the path of exectrace's program in exectrace's image.
pub(super) const SECOND_NAME: &str = "opt/exectrace";
