//! The faults of a log, with their texts. The text of a `reason` is in the code that finds
//! the fault.

use exectrail_proof::Head;
use jiff::Timestamp;

use super::{
    line::{Kind, Series},
    place::Place,
};

/// A fault in a log. Lines are counted from 1 in the log, and from 0 in a run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Not a line of exectrail.
    #[error("line {line} is not one of exectrail's: {reason}")]
    NotALine {
        /// Its number.
        line: u64,
        /// The reason.
        reason: String,
    },
    /// The log has no first line of the run.
    #[error(
        "line {line} is the first one of this run in the log, and is not its beginning: what is \
        before it is missing; --partial accepts that"
    )]
    NoBeginning {
        /// Number of the line.
        line: u64,
    },
    /// The log lacks the first line of a run, but has an earlier run of the workspace.
    #[error(
        "line {line} is the first one of this run in the log, and is not its beginning; --partial \
        accepts that of the earliest run of a workspace only"
    )]
    NotTheEarliest {
        /// Number of the line.
        line: u64,
    },
    /// Lines of the run are missing.
    #[error("line {line}: lines {from} to {to} of the run are missing before it")]
    LinesMissing {
        /// Number of the line.
        line: u64,
        /// Number of the first missing line in the run.
        from: u64,
        /// Number of the last missing line in the run.
        to: u64,
    },
    /// A line of a long argv that does not continue the line before.
    #[error("line {line} has a part of an argv that does not belong after the line before it")]
    ArgvOutOfOrder {
        /// Number of the line.
        line: u64,
    },
    /// Lines of a long argv are missing.
    #[error("line {line}: the rest of the argv of the exec before it is missing")]
    ArgvMissing {
        /// Number of the line.
        line: u64,
    },
    /// A line that occurred before, or is out of order.
    #[error(
        "line {line} has number {number} in the run and follows number {after}: it is doubled or \
        out of order"
    )]
    LineRepeated {
        /// Number of the line.
        line: u64,
        /// Its number in the run.
        number: u64,
        /// The greatest number before it.
        after: u64,
    },
    /// A second first line.
    #[error("line {line}: the run begins again: it is repeated, or its lines are out of order")]
    BeginsAgain {
        /// Number of the line.
        line: u64,
    },
    /// A line after the last line.
    #[error("line {line} follows the last line of its run")]
    AfterEnd {
        /// Number of the line.
        line: u64,
    },
    /// A sequence number that occurred before, or is out of order.
    #[error("line {line}: {} {seq} of {} follows {after}", series.kind.name(), series.place)]
    OutOfOrder {
        /// Number of the line.
        line: u64,
        /// What the number belongs to.
        series: Series,
        /// The number.
        seq: u64,
        /// The greatest number before it.
        after: u64,
    },
    /// Events without a line that no `lost` line reports.
    #[error(
        "{place}: {missing} `{}` lines are missing, and `lost` lines count {counted}",
        kind.name())]
    Unaccounted {
        /// The CPU and lane that the numbers belong to.
        place: Place,
        /// The kind of the events.
        kind: Kind,
        /// Numbers that are missing.
        missing: u64,
        /// Losses that `lost` lines report.
        counted: u64,
    },
    /// A count that differs from what the lines of the run have.
    #[error("line {line}: `{key}` is {stated}, and the lines before it have {counted}")]
    Count {
        /// Number of the line.
        line: u64,
        /// The key of the count.
        key: String,
        /// The count of the line.
        stated: u64,
        /// The count of the lines before.
        counted: u64,
    },
    /// The hash of the lines differs.
    #[error(
        "line {line}: its `head` is not the hash of the lines before it: from line {} on, a \
        line of the run was changed, added or removed; --rewritten accepts a log whose lines a \
        collector has rewritten",
        after.max(&1)
    )]
    WrongHead {
        /// Number of the line.
        line: u64,
        /// Number of the line that has the previous head; 0 for none. This head covers that line,
        /// too.
        after: u64,
    },
    /// A checkpoint with a signature that is wrong, or of another key.
    #[error("line {line} is not signed by the given key")]
    NotSigned {
        /// Number of the line.
        line: u64,
    },
    /// A checkpoint without a signature.
    #[error("line {line} has no signature; exectrail signs with --sign-key")]
    NoSignature {
        /// Number of the line.
        line: u64,
    },
    /// A last line that is no checkpoint, in a run with checkpoints or where a key is given.
    #[error("line {line} is the end of its run, and has no `head`")]
    NoHeadAtEnd {
        /// Number of the line.
        line: u64,
    },
    /// A run without a checkpoint, where a key is given.
    #[error("the run has no checkpoint, so the key proves nothing about it")]
    NoCheckpoint,
    /// The log does not have the run before.
    #[error("line {line}: run {run}, which precedes this one, is not in the log before it")]
    NoPreviousRun {
        /// Number of the first line of the run.
        line: u64,
        /// The run before.
        run: String,
    },
    /// The end of the run before is missing.
    #[error(
        "line {line}: run {run}, which precedes this one, has a checkpoint as its line {number}, \
        which the log does not have: the end of that run is missing or was changed"
    )]
    PreviousRunCut {
        /// Number of the first line of the run.
        line: u64,
        /// The run before.
        run: String,
        /// The number of the checkpoint in that run.
        number: u64,
    },
    /// The log is not complete up to the time.
    #[error("the log is not proved to be complete up to {until}: {reason}")]
    NotUntil {
        /// The time.
        until: Timestamp,
        /// The reason.
        reason: String,
    },
    /// The log does not have the head.
    #[error("no checkpoint of the log has the expected head {head}")]
    NoHead {
        /// The head.
        head: Head,
    },
}

/// Maximum number of faults that are kept for each run.
const MOST_OF_A_RUN: usize = 20;

/// The first faults, and the number of further ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// The first ones.
    pub first: Vec<Fault>,
    /// The number of further ones.
    pub more: u64,
}

impl Faults {
    pub(super) fn push(&mut self, fault: Fault) {
        if self.first.len() < MOST_OF_A_RUN {
            self.first.push(fault);
        } else {
            self.more += 1;
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.first.is_empty()
    }
}
