//! Giving up what is no longer needed.
//!
//! Capabilities belong to threads, and a thread starts with those of the one that starts it.

use caps::{CapSet, Capability, CapsHashSet, errors::CapsError};
use exectrail_preflight::KernelVersion;

/// From here on the kernel lets a process use BPF descriptors that it holds without any capability
/// ("bpf: refine kernel.unprivileged_bpf_disabled behaviour", Linux 5.19).
const HELD_DESCRIPTORS_SUFFICE: (u32, u32) = (5, 19);

/// What a thread that uses the probes' maps must keep on this kernel.
pub fn needed_for_maps(release: &KernelVersion) -> CapsHashSet {
    if (release.major, release.minor) >= HELD_DESCRIPTORS_SUFFICE {
        CapsHashSet::new()
    } else {
        CapsHashSet::from([Capability::CAP_BPF])
    }
}

/// Leaves this thread with no capability but those in `keep`, as far as it has them, for good. What
/// it still has.
///
/// # Errors
/// Where the kernel refuses, which it never does for giving up.
pub fn keep_only(keep: &CapsHashSet) -> Result<CapsHashSet, CapsError> {
    let kept = caps::read(None, CapSet::Permitted)?
        .intersection(keep)
        .copied()
        .collect();
    // Takes CAP_SETPCAP, which a sidecar has not; without it the bounding set matters to nobody, as
    // exectrail executes nothing.
    let _ = caps::clear(None, CapSet::Bounding);
    caps::clear(None, CapSet::Ambient)?;
    caps::clear(None, CapSet::Inheritable)?;
    caps::set(None, CapSet::Effective, &kept)?;
    caps::set(None, CapSet::Permitted, &kept)?;
    rustix::thread::set_no_new_privs(true).map_err(|error| CapsError::from(error.to_string()))?;
    Ok(kept)
}
