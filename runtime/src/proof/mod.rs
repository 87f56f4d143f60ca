//! What proves that a log is complete: the hash chain over its lines, and the signatures.
//!
//! The writer and `exectrail verify` share this code. docs/log-format.md has the definitions.

mod chain;
mod key;

pub(crate) use chain::Checkpoint;
pub use chain::{Chain, Head};
pub(crate) use key::{PublicKey, Signer, SigningKeyError, is_signed};
