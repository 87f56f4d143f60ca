//! Gives up capabilities that are no longer needed: in the tracer's thread, and in the emitter's,
//! which needs none.
//!
//! Capabilities belong to threads. A new thread has the capabilities of the thread that starts it.

use caps::{CapSet, Capability, CapsHashSet, errors::CapsError};
use exectrail_preflight::KernelVersion;

/// From this version on, a process needs no capability to use BPF descriptors that it holds
/// ("bpf: refine kernel.unprivileged_bpf_disabled behavior", Linux 5.19).
const HELD_DESCRIPTORS_SUFFICE: (u32, u32) = (5, 19);

/// The capabilities that a thread needs on this kernel to use the probes' maps.
pub(crate) fn needed_for_maps(release: &KernelVersion) -> CapsHashSet {
    if (release.major, release.minor) >= HELD_DESCRIPTORS_SUFFICE {
        CapsHashSet::new()
    } else {
        CapsHashSet::from([Capability::CAP_BPF])
    }
}

/// Drops all capabilities of this thread that are not in `keep`, permanently. Returns those that it
/// still has.
///
/// # Errors
/// If the kernel refuses, which it never does when capabilities are dropped.
pub(crate) fn keep_only(keep: &CapsHashSet) -> Result<CapsHashSet, CapsError> {
    let kept = caps::read(None, CapSet::Permitted)?
        .intersection(keep)
        .copied()
        .collect();
    // This call needs CAP_SETPCAP, which a sidecar does not have. The bounding set does not matter
    // then, because the sidecar executes nothing.
    let _ = caps::clear(None, CapSet::Bounding);
    caps::clear(None, CapSet::Ambient)?;
    caps::clear(None, CapSet::Inheritable)?;
    caps::set(None, CapSet::Effective, &kept)?;
    caps::set(None, CapSet::Permitted, &kept)?;
    rustix::thread::set_no_new_privs(true).map_err(|error| CapsError::from(error.to_string()))?;
    Ok(kept)
}
