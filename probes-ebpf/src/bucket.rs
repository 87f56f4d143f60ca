//! Token buckets: the limit on the rate at which a workspace's execs are recorded.

use aya_ebpf::{bindings::BPF_NOEXIST, helpers::bpf_ktime_get_boot_ns, macros::map, maps::HashMap};
use exectrail_common::suppression::{Bucket, MAX_BUCKETS, Rate, SHARED_BUCKET, Suppressed};

use crate::atomic::add;

/// Set by user space before load, then frozen.
#[unsafe(no_mangle)]
// SAFETY: all fields are integers, for which zero is a value.
static RATE: Rate = unsafe { core::mem::zeroed() };

/// A field of [`RATE`]. Volatile, or the compiler would use the zero above.
macro_rules! rate {
    ($field:ident) => {
        // SAFETY: reads an initialized static of plain integers.
        unsafe { core::ptr::read_volatile(&raw const RATE.$field) }
    };
}

/// By inode number of the target.
#[map]
static BUCKETS: HashMap<u32, Bucket> = HashMap::with_max_entries(MAX_BUCKETS, 0);

/// Takes a token from the bucket of `target`. If the bucket is empty, counts the exec as suppressed
/// and returns true.
///
/// CPUs that race for the last token may all take it. Each of them can admit one exec too many, and
/// the next token then comes later. Suppressed execs are counted by atomic additions, so their
/// count is exact.
#[inline(always)]
pub(crate) fn is_empty(target: u32) -> bool {
    // The verifier knows this value: without a limit it removes the rest of this function.
    let interval = rate!(interval);
    if interval == 0 {
        return false;
    }
    let window = rate!(window);
    let Some(bucket) = bucket(target) else {
        return false;
    };
    // SAFETY: the helper takes no arguments and always succeeds.
    let now = unsafe { bpf_ktime_get_boot_ns() };
    // SAFETY: a pointer to a live map value of aligned u64s, which all CPUs read and write whole.
    unsafe {
        let full_at = &raw mut (*bucket).full_at;
        let mut full = full_at.read_volatile();
        if full < now {
            full = now;
            full_at.write_volatile(now);
        }
        if full.wrapping_add(interval) > now.wrapping_add(window) {
            add(&raw mut (*bucket).suppressed.count, 1);
            (&raw mut (*bucket).suppressed.last).write_volatile(now);
            return true;
        }
        add(full_at, interval);
    }
    false
}

/// The bucket of `target`; created if it does not exist. The shared bucket if the map is full.
#[inline(always)]
fn bucket(target: u32) -> Option<*mut Bucket> {
    if let Some(bucket) = BUCKETS.get_ptr_mut(target) {
        return Some(bucket);
    }
    let full = Bucket {
        full_at: 0,
        suppressed: Suppressed { count: 0, last: 0 },
    };
    // The insertion fails if another CPU has created the bucket, or if the map is full.
    let _ = BUCKETS.insert(target, full, u64::from(BPF_NOEXIST));
    BUCKETS
        .get_ptr_mut(target)
        .or_else(|| BUCKETS.get_ptr_mut(SHARED_BUCKET))
}
