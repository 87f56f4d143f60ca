//! The demands on a log.

use exectrail_proof::{Head, PublicKey};
use jiff::Timestamp;

/// What is demanded of a log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Demands {
    /// Each checkpoint has a signature by this key.
    pub(crate) key: Option<PublicKey>,
    /// The log is complete up to this time, for each workspace.
    pub(crate) until: Option<Timestamp>,
    /// A checkpoint of the log has this head.
    pub(crate) head: Option<Head>,
    /// The beginning of the log may be missing: that of the first run of each workspace.
    pub(crate) partial: bool,
    /// The lines were rewritten, so that their bytes prove nothing.
    pub(crate) rewritten: bool,
}
