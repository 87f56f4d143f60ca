//! The faults of a log, with their texts. The code that finds a fault writes its `reason`.

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
        /// Number of the line.
        line: u64,
        /// The reason.
        reason: String,
    },
    /// The log lacks the first line of the run.
    #[error(
        "line {line} is the first one of this run in the log, and is not its beginning: what is \
        before it is missing; --partial accepts that"
    )]
    NoBeginning {
        /// Number of the line.
        line: u64,
    },
    /// The log lacks the first line of a run, and has an earlier run of the same workspace.
    #[error(
        "line {line} is the first one of this run in the log, and is not its beginning; with \
        --partial only the earliest run of a workspace may lack its beginning"
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
    /// An `exec_argv` line that does not continue the argv of the line before it.
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
        /// Number of the line in its run.
        number: u64,
        /// The greatest number of an earlier line.
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
        /// The series of the number.
        series: Series,
        /// The number.
        seq: u64,
        /// The greatest earlier number of the series.
        after: u64,
    },
    /// More sequence numbers are missing than `lost` lines report.
    #[error(
        "{place}: {missing} `{}` lines are missing, and `lost` lines count {counted}",
        kind.name())]
    Unaccounted {
        /// The CPU and lane of the events.
        place: Place,
        /// The kind of the events.
        kind: Kind,
        /// Number of missing sequence numbers.
        missing: u64,
        /// Number of losses that `lost` lines report.
        counted: u64,
    },
    /// A stated count that differs from the count of the lines before it.
    #[error("line {line}: `{key}` is {stated}, and the lines before it have {counted}")]
    Count {
        /// Number of the line.
        line: u64,
        /// The key of the count.
        key: String,
        /// The count that the line states.
        stated: u64,
        /// The count of the lines before it.
        counted: u64,
    },
    /// The stated head is not the hash of the lines.
    #[error(
        "line {line}: its `head` is not the hash of the lines before it: from line {} on, a \
        line of the run was changed, added or removed; --rewritten accepts a log whose lines a \
        collector has rewritten",
        after.max(&1)
    )]
    WrongHead {
        /// Number of the line.
        line: u64,
        /// Number of the line that has the previous head; 0 if there is none. The head of `line`
        /// also covers the line `after`.
        after: u64,
    },
    /// A checkpoint whose signature is wrong, or was made with another key.
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
    /// A `tracing_stopped` line without a head, although the run has checkpoints or a key is given.
    #[error("line {line} is the end of its run, and has no `head`")]
    NoHeadAtEnd {
        /// Number of the line.
        line: u64,
    },
    /// A run without a checkpoint, although a key is given.
    #[error("the run has no checkpoint, so the key proves nothing about it")]
    NoCheckpoint,
    /// The log lacks the previous run.
    #[error("line {line}: run {run}, which precedes this one, is not in the log before it")]
    NoPreviousRun {
        /// Number of the first line of the run.
        line: u64,
        /// Id of the previous run.
        run: String,
    },
    /// The end of the previous run is missing.
    #[error(
        "line {line}: run {run}, which precedes this one, has a checkpoint as its line {number}, \
        which the log does not have: the end of that run is missing or was changed"
    )]
    PreviousRunCut {
        /// Number of the first line of the run.
        line: u64,
        /// Id of the previous run.
        run: String,
        /// Number of the missing checkpoint's line in the previous run.
        number: u64,
    },
    /// The log is not proved to be complete up to the demanded time.
    #[error("the log is not proved to be complete up to {until}: {reason}")]
    NotUntil {
        /// The demanded time.
        until: Timestamp,
        /// The reason.
        reason: String,
    },
    /// No checkpoint has the demanded head.
    #[error("no checkpoint of the log has the expected head {head}")]
    NoHead {
        /// The demanded head.
        head: Head,
    },
}

/// Maximum number of faults that are kept for each run.
const MOST_OF_A_RUN: usize = 20;

/// The first faults, and the number of the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// The first faults.
    pub first: Vec<Fault>,
    /// Number of faults after the first ones.
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

    /// Whether there is no fault.
    pub fn is_empty(&self) -> bool {
        self.first.is_empty()
    }
}
