//! Names and paths in a release.

/// Name of the file with the checksums of all tarballs, which `sha256sum -c` reads.
pub(super) const SUMS: &str = "SHA256SUMS";

/// Directory of documents, below the tarball's top directory.
pub(super) const DOCUMENTS: &str = "share/doc/exectrail";
