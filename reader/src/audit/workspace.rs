//! The workspaces of a run, which its labels name.

use std::fmt::{self, Debug};

use sha2::{Digest as _, Sha256};

/// A workspace: the hash of its labels. The hash needs less memory than the labels.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Workspace([u8; 32]);

impl Workspace {
    /// The workspace with these labels, given in the bytes of a line.
    pub(super) fn of(labels: &str) -> Self {
        Self(Sha256::digest(labels).into())
    }
}

impl Debug for Workspace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let beginning = self.0.first_chunk::<4>().copied().unwrap_or_default();
        write!(f, "Workspace({:08x})", u32::from_be_bytes(beginning))
    }
}

/// The workspaces of a run, whose labels may change.
#[derive(Debug, Default)]
pub(super) struct Workspaces {
    /// The workspace of the run's first line in the log.
    first: Workspace,
    /// The workspace of the first checkpoint.
    first_checkpoint: Option<Workspace>,
    /// The workspace of the last checkpoint that proves something.
    last_proven: Option<Workspace>,
    /// The workspace of the last line.
    last: Workspace,
}

impl Workspaces {
    /// Takes the labels of a line, which is the first one of the run if `is_first`.
    pub(super) fn line(&mut self, labels: &str, is_first: bool) {
        self.last = Workspace::of(labels);
        if is_first {
            self.first = self.last;
        }
    }

    /// The last line is a checkpoint. `proves` says whether it proves something.
    pub(super) fn checkpoint(&mut self, proves: bool) {
        self.first_checkpoint.get_or_insert(self.last);
        if proves {
            self.last_proven = Some(self.last);
        }
    }

    /// The workspace at the beginning of the run. If the log lacks the first line that the run
    /// wrote, no hash proves the labels before the first checkpoint. In this case the result is the
    /// workspace of the first checkpoint, if there is one.
    pub(super) fn beginning(&self, has_first_line: bool) -> Workspace {
        self.first_checkpoint
            .filter(|_| !has_first_line)
            .unwrap_or(self.first)
    }

    /// The workspace at the end of the run: that of the last checkpoint that proves something, or
    /// else that of the last line.
    pub(super) fn end(&self) -> Workspace {
        self.last_proven.unwrap_or(self.last)
    }

    /// The workspace of the last line.
    pub(super) fn last(&self) -> Workspace {
        self.last
    }

    /// The workspaces of the first checkpoint and of the last one that proves something. A
    /// checkpoint that proves something also proves the first line, if the log has it.
    pub(super) fn proven(&self, has_first_line: bool) -> impl Iterator<Item = Workspace> {
        let first = self.last_proven.filter(|_| has_first_line);
        let first = first.map(|_| self.first);
        let proven = [first, self.first_checkpoint, self.last_proven];
        proven.into_iter().flatten()
    }

    /// All known workspaces of the run.
    pub(super) fn all(&self) -> impl Iterator<Item = Workspace> {
        [self.first, self.last].into_iter().chain(self.proven(true))
    }
}
