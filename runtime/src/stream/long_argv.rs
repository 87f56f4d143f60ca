//! Reassembles long argv for the stream, in bounded memory.

use exectrail_common::record::{ArgvPiece, FLAG_ARGV_FAULT, FLAG_LAST_PIECE};
use exectrail_preflight::pending_argv_bytes;

use super::{Stream, pending::Pending};
use crate::event::{
    decode::{ExecRecord, PieceRecord},
    ledger::Place,
};

impl Stream {
    /// Begins an exec whose argv continues in pieces from the same CPU and lane.
    pub(super) fn begin_long_argv(&mut self, place: Place, exec: &ExecRecord<'_>) {
        let pending = Pending::new(exec, self.room(exec.head.argv_len));
        self.pending.insert(place, pending);
    }

    /// Number of bytes to reserve for an argv of `argv_len` bytes. This is at most the maximum per
    /// exec, and less if other incomplete execs have taken the memory.
    fn room(&self, argv_len: u32) -> usize {
        let all = usize::try_from(pending_argv_bytes(self.max_argv_bytes.into()));
        let taken: usize = self.pending.values().map(|p| p.argv.capacity()).sum();
        let left = all.unwrap_or(usize::MAX).saturating_sub(taken);
        left.min(argv_len.min(self.max_argv_bytes) as usize)
    }

    pub(super) fn piece(&mut self, piece: &PieceRecord<'_>, out: &mut Vec<u8>) {
        let ArgvPiece { prefix, offset, .. } = piece.head;
        let place = Place::of(&prefix);
        let Some(pending) = self.pending.get_mut(&place) else {
            return;
        };
        if pending.head.prefix.seq != prefix.seq {
            return;
        }
        // A line cannot show a gap in argv, so the recorded argv ends at the first gap. It also
        // ends if the memory is full.
        let fits = pending.argv.len() + piece.argv.len() <= pending.argv.capacity();
        if offset as usize == pending.argv.len() && prefix.flags & FLAG_ARGV_FAULT == 0 && fits {
            pending.argv.extend_from_slice(piece.argv);
        }
        if prefix.flags & FLAG_LAST_PIECE != 0
            && let Some(pending) = self.pending.remove(&place)
        {
            self.write_exec(&pending.record(), out);
        }
    }
}
