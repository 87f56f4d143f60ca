//! Memory of the maps whose size depends on the number of CPUs.
//!
//! User space computes the size of the map `EARLY` with this module, and preflight computes the
//! memory of all these maps. From Linux 5.11 on, the kernel charges a map to the memory cgroup of
//! the process that creates it. From 6.0 on, it does not charge per-CPU maps, so no container's
//! limit includes these (measured on 6.1, 6.12, 6.18 and 7.3).

use crate::{
    exec_calls::CALLS,
    record::{EARLY_BYTES, FAILED_ARGV},
};

/// Approximate number of execs that may be in progress on the node at once; each has a slot.
const EARLY_SLOTS: u64 = 128;

/// Bytes of a slot of the map `EARLY`: five numbers and a part of a stack.
pub const EARLY_SLOT_BYTES: u64 = EARLY_BYTES as u64 + 32;

/// Bytes per CPU of the maps of cached decisions, which do not depend on the number of lanes.
const PER_CPU: u64 = 10 << 10;

/// Further bytes per CPU and lane: memory for building a record, and counters.
const PER_CPU_AND_LANE: u64 = 13_500;

/// Further bytes per CPU with features that are off by default: second tables of decisions and
/// dismissals, for exits.
const PER_CPU_OPTIONAL: u64 = 8 << 10;

/// Further bytes per CPU and lane with features that are off by default. They are for the counts of
/// suppressed execs, and for the filename that rules are compared with.
const PER_CPU_AND_LANE_OPTIONAL: u64 = 4 << 10;

/// Maximum size of a value of the map `FAILED`, bytes: a filename, room for argv, and the other
/// fields of a record.
const FAILED_BYTES: u64 = 4096 + 2 * FAILED_ARGV as u64 + 200;

/// Number of slots of the map `EARLY` for each of `cpus` possible CPUs: a power of two.
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

/// Bytes of the map `EARLY` with `cpus` possible CPUs.
pub const fn early_bytes(cpus: u64) -> u64 {
    cpus.saturating_mul(early_slots(cpus) as u64 * EARLY_SLOT_BYTES)
}

/// Bytes of the map `FAILED` with `cpus` possible CPUs, if failed execs are recorded.
pub const fn failed_bytes(cpus: u64) -> u64 {
    cpus.saturating_mul(CALLS as u64 * FAILED_BYTES)
}

/// Maximum bytes of the per-CPU maps with the default flags, `cpus` possible CPUs and `lanes` lanes
/// (see [`crate::counters::LANES`]).
pub const fn per_cpu_bytes(cpus: u64, lanes: u32) -> u64 {
    cpus.saturating_mul(PER_CPU + PER_CPU_AND_LANE * lanes as u64)
}

/// Maximum bytes of the per-CPU maps with `--exit-events`, `--exclude` and `--rate-limit`.
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
    fn a_large_node_with_lanes_pays_less_than_10_mib() {
        assert!(per_cpu_bytes(192, crate::counters::LANES) <= 10 << 20);
    }

    #[test]
    fn the_map_early_grows_with_the_cpus() {
        assert_eq!(early_bytes(2), 128 * 6176);
        assert_eq!(early_bytes(192), 384 * 6176);
        assert_eq!(early_bytes(u64::MAX), u64::MAX);
    }
}
