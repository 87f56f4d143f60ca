//! Writes the part of a long argv for which the record of its exec has no room.

use aya_ebpf::{bindings::BPF_RB_NO_WAKEUP, helpers::generated::bpf_probe_read_user};
use exectrail_common::record::{
    ArgvPiece, FLAG_ARGV_FAULT, FLAG_LAST_PIECE, HEAD_ARGV, KIND_ARGV_PIECE, MAX_ARGV, PIECE_ARGV,
    Prefix,
};

use crate::{
    branchless::anew,
    config::config,
    maps::{PieceScratch, RING, SCRATCH, STATS},
};

/// Number of pieces of the longest argv.
const MAX_PIECES: u64 = (MAX_ARGV as u64).div_ceil(PIECE_ARGV as u64);

/// Writes `argv[HEAD_ARGV..wanted]` of exec number `seq` on `cpu` in `lane`, in pieces. Always
/// returns 0: the kernel requires a result.
///
/// The kernel verifies this as a separate function, once for all arguments (global functions, Linux
/// 5.6 and later). As a part of its caller it would be verified again for each of the caller's many
/// states.
///
/// The offset depends only on the iteration; everything else is computed again in each iteration.
/// With a running offset the verifier would follow every length through every iteration.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn write_pieces(
    arg_start: u64,
    wanted: u64,
    cpu: u64,
    seq: u64,
    lane: u64,
) -> u64 {
    let values = (
        SCRATCH.get_ptr_mut(lane as u32),
        STATS.get_ptr_mut(lane as u32),
    );
    let (Some(piece), Some(stats)) = values else {
        return 0;
    };
    // SAFETY: pointers to the live map values of this CPU and lane. No other program uses `piece`
    // or `lost_pieces` meanwhile. A piece is plain integers, and shorter than the value.
    let (piece, stats) = unsafe { (&mut *piece.cast::<PieceScratch>(), &mut *stats) };
    for round in 0..MAX_PIECES {
        let offset = HEAD_ARGV as u64 + round * PIECE_ARGV as u64;
        // This is never true, because the loop ends with the last piece. But it lets the verifier
        // skip iterations that do not happen.
        if offset >= u64::from(config!(max_argv_bytes)) {
            break;
        }
        let rest = anew(wanted).wrapping_sub(offset);
        let last = rest <= PIECE_ARGV as u64;
        let len = if last { rest } else { PIECE_ARGV as u64 };
        // SAFETY: at most PIECE_ARGV bytes into as many; a fault gives an error.
        let fault = unsafe {
            bpf_probe_read_user(
                (&raw mut piece.bytes).cast(),
                len as u32,
                arg_start.wrapping_add(offset) as *const _,
            )
        } < 0;
        let flags =
            if last { FLAG_LAST_PIECE } else { 0 } | if fault { FLAG_ARGV_FAULT } else { 0 };
        piece.head = ArgvPiece {
            prefix: Prefix {
                lane: lane as u8,
                kind: KIND_ARGV_PIECE,
                flags,
                cpu: cpu as u16,
                filename_len: 0,
                seq,
            },
            offset: offset as u32,
            len: len as u32,
        };
        let size = size_of::<ArgvPiece>() as u64 + len;
        // SAFETY: PIECE_ARGV bytes follow the head.
        let record = unsafe {
            core::slice::from_raw_parts((&raw const piece.head).cast::<u8>(), size as usize)
        };
        if RING
            .output::<[u8]>(record, u64::from(BPF_RB_NO_WAKEUP))
            .is_err()
        {
            stats.lost_pieces += 1;
        }
        if last {
            break;
        }
    }
    0
}
