//! A requirement: whether it is present, and how it is installed.

use anyhow::Result;

/// Result of looking for one requirement.
pub(super) enum Found {
    /// It is present; the text names it.
    Present(String),
    /// It is missing and can be installed.
    Missing(Missing),
}

/// A requirement that can be installed.
pub(super) struct Missing {
    /// Its name, and how long its installation takes: `bpf-linker 0.10.3 (about a minute)`.
    pub(super) what: String,
    /// Installs it, and returns how.
    pub(super) install: Box<dyn FnOnce() -> Result<String>>,
}

impl Found {
    /// A missing requirement.
    pub(super) fn missing(
        what: impl Into<String>,
        install: impl FnOnce() -> Result<String> + 'static,
    ) -> Self {
        Self::Missing(Missing {
            what: what.into(),
            install: Box::new(install),
        })
    }
}
