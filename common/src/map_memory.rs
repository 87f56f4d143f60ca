//! Memory of those maps whose size depends on the number of CPUs.
//!
//! User space makes the maps by these numbers, and preflight counts them. From Linux 5.11 on, maps
//! are charged to the memory cgroup of the process that makes them, but for the per-CPU ones, which
//! the node pays.

use crate::{exec_calls::CALLS, record::EARLY_BYTES};

/// Slots on the whole node, about: execs that may be under way at once.
const EARLY_SLOTS: u64 = 128;

/// Bytes in a slot of the map `EARLY`: the lowest part of a stack, and four numbers before it.
pub const EARLY_SLOT_BYTES: u64 = EARLY_BYTES as u64 + 32;

/// What the per-CPU maps take for each CPU, whatever the number of lanes: cached decisions.
const PER_CPU: u64 = 10 << 10;

/// What they take beside for each CPU and lane: room to put a record together, and counters.
const PER_CPU_AND_LANE: u64 = 10_624;

/// What they take beside for each CPU with features that are off by default: a second table of
/// decisions for exits.
const PER_CPU_OPTIONAL: u64 = 8 << 10;

/// The same for each CPU and lane: counts of what was suppressed.
const PER_CPU_AND_LANE_OPTIONAL: u64 = 4 << 10;

/// Bytes of a value of the map `FAILED`, at most: a filename and what is beside it in a record.
const FAILED_BYTES: u64 = 4096 + 192;

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

/// Bytes that the map `FAILED` takes with `cpus` possible CPUs, where failed execs are recorded.
pub const fn failed_bytes(cpus: u64) -> u64 {
    cpus.saturating_mul(CALLS as u64 * FAILED_BYTES)
}

/// Bytes that the per-CPU maps take at most with `cpus` possible CPUs and `lanes` lanes (see
/// [`crate::record::LANES`]), by default.
pub const fn per_cpu_bytes(cpus: u64, lanes: u32) -> u64 {
    cpus.saturating_mul(PER_CPU + PER_CPU_AND_LANE * lanes as u64)
}

/// The same with `--exit-events`, `--exclude` and `--rate-limit`.
pub const fn per_cpu_bytes_of_all(cpus: u64, lanes: u32) -> u64 {
    let optional = PER_CPU_OPTIONAL + PER_CPU_AND_LANE_OPTIONAL * lanes as u64;
    per_cpu_bytes(cpus, lanes).saturating_add(cpus.saturating_mul(optional))
}

#[cfg(test)]
mod tests {
    use super::{early_bytes, early_slots, per_cpu_bytes};

    #[test]
    fn each_cpu_has_a_power_of_two_of_slots() {
        let slots = [0, 1, 2, 3, 64, 192, 8192].map(early_slots);
        assert_eq!(slots, [64, 64, 64, 64, 2, 2, 2]);
    }

    #[test]
    fn a_large_node_with_lanes_pays_less_than_8_mib() {
        assert!(per_cpu_bytes(192, crate::record::LANES) <= 8 << 20);
    }

    #[test]
    fn their_memory_grows_with_the_cpus() {
        assert_eq!(early_bytes(2), 128 * 6176);
        assert_eq!(early_bytes(192), 384 * 6176);
        assert_eq!(early_bytes(u64::MAX), u64::MAX);
    }
}
