//! An exec whose argv is incomplete.

use exectrail_common::record::Exec;

/// An exec whose argv is incomplete.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) head: Exec,
    pub(super) argv: Vec<u8>,
    pub(super) filename: Vec<u8>,
    pub(super) stack_filename: Vec<u8>,
}
