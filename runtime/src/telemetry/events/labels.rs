//! Events of label files.

use tracing::{info, warn};

/// A label file cannot be used any more, or the new labels are too long.
pub(crate) struct LabelFileUnusable<'a> {
    /// The reason, with its remedy.
    pub error: &'a str,
    /// Events of this kind that were not logged since the last logged one.
    pub not_logged: u64,
}

impl LabelFileUnusable<'_> {
    /// Logs the event.
    pub(crate) fn emit(self) {
        warn!(
            error = self.error,
            not_logged = self.not_logged,
            "cannot read new labels; lines keep the last ones"
        );
    }
}

/// All label files can be used again.
pub(crate) struct LabelFileUsable;

impl LabelFileUsable {
    /// Logs the event.
    pub(crate) fn emit(self) {
        info!("all label files can be used again");
    }
}

/// When exectrail starts, no label file has these keys.
pub(crate) struct LabelKeysAbsent<'a> {
    /// The keys.
    pub keys: &'a [&'a str],
}

impl LabelKeysAbsent<'_> {
    /// Logs the event.
    pub(crate) fn emit(self) {
        let keys = self.keys.join(" ");
        warn!(
            keys,
            "no label file has these keys of --label-file-key yet; mistyped?"
        );
    }
}
