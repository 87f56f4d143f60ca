//! Memory of those maps whose size depends on the number of CPUs.
//!
//! User space makes the maps by these numbers, and preflight counts them: from Linux 5.11 on, maps
//! are charged to the memory cgroup of the process that makes them.

use crate::record::EARLY_BYTES;

/// Slots on the whole node, about: execs that may be under way at once.
const EARLY_SLOTS: u64 = 128;

/// Bytes in a slot of the map `EARLY`: the lowest part of a stack, and four numbers before it.
pub const EARLY_SLOT_BYTES: u64 = EARLY_BYTES as u64 + 32;

/// What the per-CPU maps take for each CPU, whatever the number of lanes: cached decisions, and room
/// for failed execs.
const PER_CPU: u64 = 26 << 10;

/// What they take beside for each CPU and lane: room to put a record together, counters and, with
/// `--exit-events`, a second table of decisions.
const PER_CPU_AND_LANE: u64 = 19 << 10;

/// Slots of the map `EARLY` that each of `cpus` possible CPUs has: a power of two.
pub const fn early_slots(cpus: u64) -> u32 {
    let cpus = if cpus == 0 { 1 } else { cpus };
    let each = (EARLY_SLOTS / cpus).next_power_of_two();
    if each < 2 {
        2
    } else if each > 64 {
        64
    } else {
        each as u32
    }
}

/// Bytes that the map `EARLY` takes with `cpus` possible CPUs.
pub const fn early_bytes(cpus: u64) -> u64 {
    cpus.saturating_mul(early_slots(cpus) as u64 * EARLY_SLOT_BYTES)
}

/// Bytes that the per-CPU maps take at most with `cpus` possible CPUs and `lanes` lanes (see
/// [`crate::record::LANES`]).
pub const fn per_cpu_bytes(cpus: u64, lanes: u32) -> u64 {
    cpus.saturating_mul(PER_CPU + PER_CPU_AND_LANE * lanes as u64)
}

#[cfg(test)]
mod tests {
    use super::{early_bytes, early_slots};

    #[test]
    fn each_cpu_has_a_power_of_two_of_slots() {
        let slots = [0, 1, 2, 3, 64, 192, 8192].map(early_slots);
        assert_eq!(slots, [64, 64, 64, 64, 2, 2, 2]);
    }

    #[test]
    fn their_memory_grows_with_the_cpus() {
        assert_eq!(early_bytes(2), 128 * 6176);
        assert_eq!(early_bytes(192), 384 * 6176);
        assert_eq!(early_bytes(u64::MAX), u64::MAX);
    }
}
