//! The sidecar's own PID namespace, and the pod's cgroup.

use aya::{Btf, Ebpf, maps::Array};
use bytemuck::cast;
use exectrail_common::target::{OWN_CGROUPS, OwnCgroup, OwnScope};
use rustix::thread::{name, set_name};

use super::{AttachError, attach, pod_cgroup, program};

/// [`OwnScope`] as words, the value type of the map.
type ScopeWords = [u64; size_of::<OwnScope>() / 8];

/// [`OwnCgroup`] as words, the value type of the map.
type CgroupWords = [u64; size_of::<OwnCgroup>() / 8];

/// Sets the pod's cgroup, if it is one of the cgroups that `own_scope` saw above this process.
fn name_pod_cgroup(ebpf: &mut Ebpf, scope: &mut OwnScope) -> Result<(), AttachError> {
    let map = "OWN_CGROUPS";
    let map_error = |map| move |source| AttachError::Map { map, source };
    let cgroups = ebpf.map(map).ok_or(AttachError::Missing(map))?;
    let cgroups = Array::<_, CgroupWords>::try_from(cgroups).map_err(map_error(map))?;
    let mut seen = Vec::new();
    for index in 0..OWN_CGROUPS {
        let words = cgroups.get(&index, 0).map_err(map_error(map))?;
        seen.push(cast::<CgroupWords, OwnCgroup>(words));
    }
    let Some((place, pod)) = pod_cgroup::find(&seen)
        .and_then(|place| Some((u32::try_from(place).ok()?, seen.get(place)?)))
    else {
        return Ok(());
    };
    scope.pod_cgroup = pod.id;
    scope.pod_cgroup_level = scope.cgroup_level.saturating_sub(place);
    let map = "OWN_SCOPE";
    let verdict = ebpf.map_mut(map).ok_or(AttachError::Missing(map))?;
    let mut verdict = Array::<_, ScopeWords>::try_from(verdict).map_err(map_error(map))?;
    verdict
        .set(0, cast::<OwnScope, ScopeWords>(*scope), 0)
        .map_err(map_error(map))
}

/// Maximum number of renames of a thread for the `own_scope` program: the kernel may skip it, see
/// [`exectrail_common::record::LANES`].
const LOOKS: usize = 20;

/// Runs the `own_scope` program on this thread: renames the thread to its current name.
pub(super) fn look(ebpf: &mut Ebpf, btf: &Btf) -> Result<OwnScope, AttachError> {
    let link = attach(ebpf, btf, "own_scope", "task_rename")?;
    let map = "OWN_SCOPE";
    let map_error = |source| AttachError::Map { map, source };
    let mut scope = OwnScope::default();
    for _ in 0..LOOKS {
        if scope.is_known() {
            break;
        }
        // A thread can always rename itself. If this fails, the program does not run, an error
        // below.
        let _ = name().and_then(|name| set_name(&name));
        // The map stays in the object: programs loaded later use it too.
        let verdict = ebpf.map(map).ok_or(AttachError::Missing(map))?;
        let verdict = Array::<_, ScopeWords>::try_from(verdict).map_err(map_error)?;
        scope = verdict.get(&0, 0).map(cast).map_err(map_error)?;
    }
    let program = program(ebpf, "own_scope")?;
    program
        .detach(link)
        .and_then(|()| program.unload())
        .map_err(|source| AttachError::Program {
            program: "own_scope",
            tracepoint: "task_rename",
            source: Box::new(source),
        })?;
    if !scope.is_known() {
        return Err(AttachError::OwnScope);
    }
    name_pod_cgroup(ebpf, &mut scope)?;
    Ok(scope)
}
