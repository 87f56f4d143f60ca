//! Names and paths in a release.

/// The checksums of all tarballs, in the format of `sha256sum -c`.
pub(super) const SUMS: &str = "SHA256SUMS";

/// A completion script: the program, the shell, and the path that the shell searches, below a
/// prefix such as /usr/local.
pub(super) const COMPLETIONS: [(&str, &str, &str); 6] = [
    (
        "exectrail",
        "bash",
        "share/bash-completion/completions/exectrail",
    ),
    ("exectrail", "zsh", "share/zsh/site-functions/_exectrail"),
    (
        "exectrail",
        "fish",
        "share/fish/vendor_completions.d/exectrail.fish",
    ),
    (
        "exectrail-log",
        "bash",
        "share/bash-completion/completions/exectrail-log",
    ),
    (
        "exectrail-log",
        "zsh",
        "share/zsh/site-functions/_exectrail-log",
    ),
    (
        "exectrail-log",
        "fish",
        "share/fish/vendor_completions.d/exectrail-log.fish",
    ),
];

/// Directory of documents, below a prefix.
pub(super) const DOCUMENTS: &str = "share/doc/exectrail";
