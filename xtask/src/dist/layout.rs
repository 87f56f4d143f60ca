//! Names and paths in a release.

/// The checksums of all tarballs, in the format of `sha256sum -c`.
pub(super) const SUMS: &str = "SHA256SUMS";

/// Directory of documents, below a prefix.
pub(super) const DOCUMENTS: &str = "share/doc/exectrail";
