//! Where the stream puts long argv together, in memory that is bounded whatever is executed.

use exectrail_common::record::{ArgvPiece, Exec, FLAG_ARGV_FAULT, FLAG_LAST_PIECE};
use exectrail_preflight::pending_argv_bytes;

use super::Stream;
use crate::{
    decode::{ExecRecord, PieceRecord},
    loss::Place,
    output::{Event, ExecEvent},
};

/// An exec whose argv has not arrived whole.
#[derive(Debug)]
pub(super) struct Pending {
    head: Exec,
    pub(super) argv: Vec<u8>,
    filename: Vec<u8>,
    stack_filename: Vec<u8>,
}

impl Stream {
    /// The pieces of an exec's argv are to follow, from the same CPU and lane.
    pub(super) fn put_together(&mut self, place: Place, exec: &ExecRecord<'_>) {
        let mut argv = Vec::new();
        // At once: a buffer that doubles would take twice as much.
        argv.reserve_exact(self.room(exec.head.argv_len).max(exec.argv.len()));
        argv.extend_from_slice(exec.argv);
        let pending = Pending {
            head: exec.head,
            argv,
            filename: exec.filename.to_vec(),
            stack_filename: exec.stack_filename.to_vec(),
        };
        self.pending.insert(place, pending);
    }

    /// How many bytes of an argv of `argv_len` to make room for: as many as are kept of one exec,
    /// and fewer where others that are put together have taken the room.
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
        // Behind a gap nothing can be said to be argv: what is kept ends there. So it does where
        // there is no room for more.
        let fits = pending.argv.len() + piece.argv.len() <= pending.argv.capacity();
        if offset as usize == pending.argv.len() && prefix.flags & FLAG_ARGV_FAULT == 0 && fits {
            pending.argv.extend_from_slice(piece.argv);
        }
        if prefix.flags & FLAG_LAST_PIECE != 0
            && let Some(pending) = self.pending.remove(&place)
        {
            self.complete(&pending, out);
        }
    }

    pub(super) fn complete(&mut self, pending: &Pending, out: &mut Vec<u8>) {
        self.execs += 1;
        let event = ExecEvent {
            head: &pending.head,
            argv: &pending.argv,
            filename: &pending.filename,
            stack_filename: &pending.stack_filename,
        };
        self.tell(pending.head.ktime, &Event::Exec(event), out);
    }
}
