//! Paths in the image.

/// The program.
pub(super) const PROGRAM: &str = "usr/bin/exectrail";

/// Its second name, which is that of the program in exectrace's image.
pub(super) const SECOND_NAME: &str = "opt/exectrace";
