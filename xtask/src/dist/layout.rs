//! Names and paths in a release.

/// The checksums of all tarballs, in the format of `sha256sum -c`.
pub(super) const SUMS: &str = "SHA256SUMS";

/// Paths that shells search for completions, below a prefix such as /usr/local.
pub(super) const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "share/bash-completion/completions/exectrail"),
    ("zsh", "share/zsh/site-functions/_exectrail"),
    ("fish", "share/fish/vendor_completions.d/exectrail.fish"),
];

/// Directory of documents, below a prefix.
pub(super) const DOCUMENTS: &str = "share/doc/exectrail";
