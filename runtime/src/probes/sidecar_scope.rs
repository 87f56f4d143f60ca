//! The sidecar's own PID namespace, and the pod's cgroup.

use aya::{Btf, Ebpf, maps::Array};
use bytemuck::cast;
use exectrail_common::{
    map_names,
    sidecar_scope::{MAX_SIDECAR_CGROUPS, SidecarCgroup, SidecarScope},
};
use rustix::thread::{name, set_name};

use super::{
    error::{AttachError, map_error},
    pod_cgroup,
    programs::SIDECAR_SCOPE,
};

/// [`SidecarScope`] as words, the value type of the map.
type ScopeWords = [u64; size_of::<SidecarScope>() / 8];

/// [`SidecarCgroup`] as words, the value type of the map.
type CgroupWords = [u64; size_of::<SidecarCgroup>() / 8];

/// Sets the pod's cgroup, if it is one of the cgroups that `sidecar_scope` saw above this process.
fn name_pod_cgroup(ebpf: &mut Ebpf, scope: &mut SidecarScope) -> Result<(), AttachError> {
    let map = map_names::SIDECAR_CGROUPS;
    let cgroups = ebpf.map(map).ok_or(AttachError::Missing(map))?;
    let cgroups = Array::<_, CgroupWords>::try_from(cgroups).map_err(map_error(map))?;
    let mut seen = Vec::new();
    for index in 0..MAX_SIDECAR_CGROUPS {
        let words = cgroups.get(&index, 0).map_err(map_error(map))?;
        seen.push(cast::<CgroupWords, SidecarCgroup>(words));
    }
    let Some((place, pod)) = pod_cgroup::find(&seen)
        .and_then(|place| Some((u32::try_from(place).ok()?, seen.get(place)?)))
    else {
        return Ok(());
    };
    scope.pod_cgroup = pod.id;
    scope.pod_cgroup_level = scope.cgroup_level.saturating_sub(place);
    let map = map_names::SIDECAR_SCOPE;
    let array = ebpf.map_mut(map).ok_or(AttachError::Missing(map))?;
    let mut array = Array::<_, ScopeWords>::try_from(array).map_err(map_error(map))?;
    array
        .set(0, cast::<SidecarScope, ScopeWords>(*scope), 0)
        .map_err(map_error(map))
}

/// Maximum number of times that a thread is renamed to run the `sidecar_scope` program: the kernel
/// may skip the program, see [`exectrail_common::counters::LANES`].
const LOOKS: usize = 20;

/// Runs the `sidecar_scope` program on this thread. The program is at the tracepoint `task_rename`,
/// so this function renames the thread to its current name.
pub(super) fn look(ebpf: &mut Ebpf, btf: &Btf) -> Result<SidecarScope, AttachError> {
    let link = SIDECAR_SCOPE.attach(ebpf, btf)?;
    let map = map_names::SIDECAR_SCOPE;
    let mut scope = SidecarScope::default();
    for _ in 0..LOOKS {
        if scope.is_known() {
            break;
        }
        // A thread can always rename itself. If it could not, the program would not run, which is
        // an error below.
        let _ = name().and_then(|name| set_name(&name));
        // The map stays in the object: programs loaded later use it too.
        let array = ebpf.map(map).ok_or(AttachError::Missing(map))?;
        let array = Array::<_, ScopeWords>::try_from(array).map_err(map_error(map))?;
        scope = array.get(&0, 0).map(cast).map_err(map_error(map))?;
    }
    let program = SIDECAR_SCOPE.of(ebpf)?;
    program
        .detach(link)
        .and_then(|()| program.unload())
        .map_err(|source| SIDECAR_SCOPE.refused(source))?;
    if !scope.is_known() {
        return Err(AttachError::SidecarScope);
    }
    name_pod_cgroup(ebpf, &mut scope)?;
    Ok(scope)
}
