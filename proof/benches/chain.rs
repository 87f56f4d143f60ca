//! The cost of the hash chain per line, and of SHA-256 for comparison:
//! `cargo bench -p exectrail-proof`.
//!
//! Both take turns, so their ratio hardly depends on the machine's load.

#![forbid(unsafe_code)]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use exectrail_proof::{Chain, Head};
use sha2::{Digest as _, Sha256};

/// About the length of a line of a build, bytes.
const LINE: usize = 700;
/// Number of lines for each figure, a multiple of each size of a batch.
const LINES: usize = 140_000;
/// Number of rounds; the fastest one counts.
const ROUNDS: usize = 5;

/// Time for all lines, which come in batches.
fn time(batch: usize, mut add: impl FnMut(&[u8])) -> Duration {
    let lines = vec![b'x'; LINE * batch];
    let start = Instant::now();
    for _ in 0..LINES / batch {
        add(black_box(&lines));
    }
    start.elapsed()
}

fn main() {
    for batch in [1, 10, 100, 700] {
        let mut best = [Duration::MAX; 2];
        for _ in 0..ROUNDS {
            let mut chain = Chain::new(Head::default());
            let mut sha = Sha256::new();
            let took = [
                time(batch, |lines| chain.update(lines)),
                time(batch, |lines| sha.update(lines)),
            ];
            black_box((chain.next_head(), sha.finalize()));
            best = [best[0].min(took[0]), best[1].min(took[1])];
        }
        let each = best.map(|all| all.as_secs_f64() * 1e9 / LINES as f64);
        println!(
            "batches of {batch}: chain {:.0} ns a line, SHA-256 {:.0} ns, ratio {:.2}",
            each[0],
            each[1],
            each[0] / each[1]
        );
    }
}
