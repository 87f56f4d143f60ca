//! The demands on a log.

use exectrail_proof::{Head, PublicKey};
use jiff::Timestamp;

/// What the user demands of a log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Demands {
    /// Each checkpoint has a signature by this key.
    pub(crate) key: Option<PublicKey>,
    /// The log is complete up to this time, for each workspace.
    pub(crate) until: Option<Timestamp>,
    /// A checkpoint of the log has this head.
    pub(crate) head: Option<Head>,
    /// The earliest run of each workspace may lack its beginning.
    pub(crate) partial: bool,
    /// Hashes and signatures are not checked, because a collector has rewritten the lines.
    pub(crate) rewritten: bool,
}
