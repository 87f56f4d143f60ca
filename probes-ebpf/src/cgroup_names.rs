//! Writes the names of an exec's cgroup to the ring, unless this CPU and lane has written them
//! recently. Each CPU and lane remembers [`KNOWN_CGROUPS`] cgroups, one per remainder of the id.
//! From the names, user space takes the ids of containers.

use aya_ebpf::{bindings::BPF_RB_NO_WAKEUP, helpers::generated::bpf_probe_read_kernel_str};
use exectrail_common::{
    cgroup_names::{CGROUP_NAME, CgroupNames, MAX_CGROUP_LEVELS, NAMES},
    probe_config::FIELD_CGROUP_NAMES,
    record::{KIND_CGROUP_NAMES, Prefix},
};

use crate::{
    config::{config, offset},
    kernel_read::read_u64,
    maps::{KNOWN_CGROUPS, RING, SCRATCH, SIDECAR_SCOPE, Scratch},
    pod::cgroup_of,
};

/// The prefix of each record, as words.
const PREFIX: [u64; 2] = {
    let prefix = Prefix {
        lane: 0,
        kind: KIND_CGROUP_NAMES,
        flags: 0,
        cpu: 0,
        filename_len: 0,
        seq: 0,
    };
    // SAFETY: both types are 16 bytes of integers without padding.
    unsafe { core::mem::transmute(prefix) }
};

/// The record of a cgroup's names.
#[repr(C)]
struct Record {
    head: CgroupNames,
    names: [[u8; CGROUP_NAME]; NAMES],
}

/// Whether user space wants the names of the cgroup with this id, and this CPU and lane does not
/// remember the cgroup.
#[inline(always)]
pub(crate) fn is_unnamed(scratch: &Scratch, id: u64) -> bool {
    // The verifier knows this value, and removes the rest if names are not wanted.
    config!(fields) & FIELD_CGROUP_NAMES != 0
        && scratch.known_cgroups[id as usize & (KNOWN_CGROUPS - 1)] != id
}

/// Writes the names of the cgroup of the task at this address. `id` is the cgroup's id. Always
/// returns 0: the kernel requires a result.
///
/// If the ring is full, the next exec tries again.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn name_cgroup(task: u64, id: u64, lane: u64) -> u64 {
    // The verifier knows this value, and removes the rest if names are not wanted.
    if config!(fields) & FIELD_CGROUP_NAMES == 0 {
        return 0;
    }
    let Some(scratch) = SCRATCH.get_ptr_mut(lane as u32) else {
        return 0;
    };
    let slot = id as usize & (KNOWN_CGROUPS - 1);
    // SAFETY: a pointer to the live map value of this CPU and lane, which no other program uses
    // meanwhile. The index is below the length.
    let known = unsafe { (&raw mut (*scratch).known_cgroups).cast::<u64>().add(slot) };
    let Some(sidecar) = SIDECAR_SCOPE.get(0) else {
        return 0;
    };
    let pod = sidecar.pod_cgroup;
    let mut node = read_u64(cgroup_of(task) + u64::from(offset!(cgroup_kn)));
    let Some(mut record) = RING.reserve::<Record>(0) else {
        return 0;
    };
    let to = record.as_mut_ptr();
    let (mut levels, mut end) = (0, false);
    for level in 0..MAX_CGROUP_LEVELS + 1 {
        let above = read_u64(node + u64::from(offset!(kernfs_node_parent)));
        let is_pod = read_u64(node + u64::from(offset!(kernfs_node_id))) == pod;
        // The root cgroup of a hierarchy has no name.
        if above == 0 || is_pod {
            end = true;
            break;
        }
        let index = if level < NAMES as u32 {
            level as usize
        } else {
            NAMES - 1
        };
        let name = read_u64(node + u64::from(offset!(kernfs_node_name)));
        // SAFETY: the record is reserved; the index is below NAMES, so `to` has CGROUP_NAME bytes.
        // A fault gives an error.
        unsafe {
            let to = (&raw mut (*to).names).cast::<u8>().add(index * CGROUP_NAME);
            bpf_probe_read_kernel_str(to.cast(), CGROUP_NAME as u32, name as *const _);
        }
        levels += 1;
        node = above;
    }
    let levels = if end { levels } else { 0 };
    // The writes are volatile. Otherwise the compiler would call a function that clears memory, and
    // no stack is left for that call.
    // SAFETY: the record is reserved, and `known` points to the live map value.
    unsafe {
        let head = &raw mut (*to).head;
        (&raw mut (*head).prefix)
            .cast::<[u64; 2]>()
            .write_volatile(PREFIX);
        (&raw mut (*head).id).write_volatile(id);
        (&raw mut (*head).levels).write_volatile(levels);
        known.write_volatile(id);
    }
    record.submit(u64::from(BPF_RB_NO_WAKEUP));
    0
}
