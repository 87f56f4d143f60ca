//! What proves that a log is complete: the hash chain over its lines, and the signatures.
//!
//! The writer (`runtime`) and the reader (`reader`) share this code. docs/log-format.md has the
//! definitions.
#![forbid(unsafe_code)]

mod chain;
mod key;

pub use chain::{Chain, Checkpoint, Head};
pub use key::{PublicKey, Signer, SigningKeyError, is_signed};
