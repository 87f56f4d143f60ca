//! The checkpoints of a run: the hash chain, the signatures, and what they prove. The module
//! `numbers` checks their counts.

use std::collections::VecDeque;

use exectrail_proof::{Chain, Checkpoint, Head, PublicKey, is_signed};
use jiff::{SignedDuration, Timestamp};

use super::{
    fault::{Fault, Faults},
    line::LogLine,
};

/// Number of checkpoints that the audit remembers for each run. The next run names the checkpoint
/// that the state file has. After that checkpoint, a run writes at most a few more.
const KEPT: usize = 16;

/// `complete_until` may be later than `ts` by this much, because the clock may be set in between.
const LATER: SignedDuration = SignedDuration::from_secs(60);

/// What a checkpoint of a run proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// Every event up to this time has a line, or is counted as lost or suppressed.
    pub complete_until: Timestamp,
    /// Number of the checkpoint's line, counted in the log.
    pub line: u64,
    /// Number of the checkpoint's line, counted in the run.
    pub number: u64,
    /// Head of the checkpoint.
    pub head: Head,
}

/// The checkpoints of one run.
#[derive(Debug, Default)]
pub(super) struct CheckpointAudit {
    /// The hash chain over the lines; `None` until its beginning is known.
    chain: Option<Chain>,
    /// Number of the line with the last head, counted in the log; 0 if no line has a head. The next
    /// head covers this line and those after it.
    last_head_line: u64,
    last: VecDeque<Checkpoint>,
    /// What the last checkpoint before the first fault of the run proves.
    pub(super) proven: Option<Proven>,
    /// Whether the run has a checkpoint.
    pub(super) any: bool,
    /// The head of the last line, if the audit has computed the head and found it right. In a part
    /// of a log, the audit cannot compute the head of the first checkpoint.
    pub(super) computed: Option<Head>,
}

impl CheckpointAudit {
    /// The next line is the first one of the run.
    pub(super) fn begin(&mut self) {
        self.chain = Some(Chain::new(Head::default()));
    }

    /// Takes a line of the run.
    pub(super) fn line(
        &mut self,
        line: u64,
        parsed: &LogLine<'_>,
        bytes: &[u8],
        key: Option<&PublicKey>,
        faults: &mut Faults,
    ) {
        let head = parsed.fields.head;
        self.computed = None;
        if let Some(head) = head {
            self.head(line, head, faults);
            self.any = true;
            if key.is_some_and(|key| !key.has_signed(bytes)) {
                faults.push(if is_signed(bytes) {
                    Fault::NotSigned { line }
                } else {
                    Fault::NoSignature { line }
                });
            }
            self.prove(line, parsed, head, faults);
        } else if parsed.msg == "tracing_stopped" && (self.any || key.is_some()) {
            // If a run has checkpoints, its last line is one.
            faults.push(Fault::NoHeadAtEnd { line });
        } else if is_signed(bytes) {
            let reason = "it has `sig` without `head`".to_owned();
            faults.push(Fault::NotALine { line, reason });
        }
        if let Some(chain) = &mut self.chain {
            chain.update(bytes);
            chain.update(b"\n");
        }
    }

    fn head(&mut self, line: u64, stated: Head, faults: &mut Faults) {
        let computed = self.chain.as_mut().map(Chain::next_head);
        if computed.is_some_and(|computed| computed != stated) {
            let after = self.last_head_line;
            faults.push(Fault::WrongHead { line, after });
        }
        self.last_head_line = line;
        self.computed = computed.filter(|computed| *computed == stated);
        if computed != Some(stated) {
            // Later heads are computed from the stated head, so one difference counts as one fault.
            self.chain = Some(Chain::new(stated));
        }
    }

    fn prove(&mut self, line: u64, parsed: &LogLine<'_>, head: Head, faults: &mut Faults) {
        let until = parsed.fields.complete_until.as_deref();
        let (Some(number), Some(until)) = (parsed.fields.line, until) else {
            let reason = "a checkpoint without `line` or `complete_until`".to_owned();
            faults.push(Fault::NotALine { line, reason });
            return;
        };
        let Ok(complete_until) = until.parse::<Timestamp>() else {
            let reason = "`complete_until` is not a time".to_owned();
            faults.push(Fault::NotALine { line, reason });
            return;
        };
        let ts = parsed.ts.parse::<Timestamp>();
        if ts.is_ok_and(|ts| complete_until.duration_since(ts) > LATER) {
            let reason = "`complete_until` is later than the line itself".to_owned();
            faults.push(Fault::NotALine { line, reason });
            return;
        }
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        self.last.push_back(Checkpoint { line: number, head });
        if faults.is_empty() {
            self.proven = Some(Proven {
                complete_until,
                line,
                number,
                head,
            });
        }
    }

    /// Whether the run has this checkpoint, or may have it: the audit remembers only the last ones.
    pub(super) fn has(&self, wanted: Checkpoint) -> bool {
        match self.last.front() {
            Some(first) if first.line > wanted.line => self.last.len() == KEPT,
            _ => self.last.contains(&wanted),
        }
    }
}
