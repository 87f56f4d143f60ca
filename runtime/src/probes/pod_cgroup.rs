//! Finds the pod's cgroup: among the cgroups above the sidecar, the nearest one that the kubelet
//! named after a pod.
//!
//! Both drivers of the kubelet name the pod's cgroup (pkg/kubelet/cm/cgroup_manager_linux.go and
//! pkg/kubelet/cm/pod_container_manager_linux.go, Kubernetes 1.20 to 1.34). The name is `pod<UID>`
//! below `kubepods`, with at most the QoS class between them; or `…kubepods-<class>-pod<UID>.slice`
//! or `…kubepods-pod<UID>.slice`. Below the pod's cgroup, a runtime has one level; CRI-O can have
//! two. Without such a name, no cgroup identifies the pod: under plain Docker, all containers share
//! the cgroup above theirs.

use exectrail_common::sidecar_scope::SidecarCgroup;

/// The index of the pod's cgroup in `cgroups`, which are the sidecar's own and then those above it.
pub(super) fn find(cgroups: &[SidecarCgroup]) -> Option<usize> {
    let names: Vec<&[u8]> = cgroups
        .iter()
        .take_while(|cgroup| cgroup.id != 0)
        .map(|cgroup| {
            cgroup
                .name
                .split(|byte| *byte == 0)
                .next()
                .unwrap_or_default()
        })
        .collect();
    (0..names.len()).find(|&place| names_a_pod(names.get(place..).unwrap_or_default()))
}

/// Whether the first of `names` is a pod's name; the names above it follow.
fn names_a_pod(names: &[&[u8]]) -> bool {
    let [name, above @ ..] = names else {
        return false;
    };
    if let Some(slice) = name.strip_suffix(b".slice") {
        return is_pod_slice(slice);
    }
    name.strip_prefix(b"pod").is_some_and(is_uid)
        && matches!(
            above,
            [b"kubepods", ..] | [b"burstable" | b"besteffort", b"kubepods", ..]
        )
}

/// Whether a slice is a pod's. systemd puts the path of a slice into its name, with dashes between
/// the parts. So a UID in the name has underscores.
fn is_pod_slice(slice: &[u8]) -> bool {
    let Ok(slice) = str::from_utf8(slice) else {
        return false;
    };
    let mut parts = slice.rsplit('-');
    let is_pod = parts
        .next()
        .and_then(|part| part.strip_prefix("pod"))
        .is_some_and(|uid| is_uid(uid.as_bytes()));
    is_pod
        && match parts.next() {
            Some("burstable" | "besteffort") => parts.next() == Some("kubepods"),
            part => part == Some("kubepods"),
        }
}

/// Whether `text` may be a pod's UID: digits, letters and separators. The UID of a static pod is a
/// hash.
fn is_uid(text: &[u8]) -> bool {
    !text.is_empty()
        && text
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use exectrail_common::sidecar_scope::{CGROUP_NAME, SidecarCgroup};

    use super::find;

    const UID: &str = "7b0c5f4e-1d2a-4c3b-9e8f-001122334455";

    fn place(path: &str) -> Option<usize> {
        // The root of a hierarchy has an empty name.
        let cgroups: Vec<SidecarCgroup> = path
            .rsplit('/')
            .map(|name| {
                let mut field = [0; CGROUP_NAME];
                field[..name.len()].copy_from_slice(name.as_bytes());
                SidecarCgroup { id: 7, name: field }
            })
            .collect();
        find(&cgroups)
    }

    #[test]
    fn a_pod_is_known_with_both_drivers_and_all_classes() {
        let slice = UID.replace('-', "_");
        for (path, expected) in [
            (format!("/kubepods/pod{UID}/0123abcd"), 1),
            (format!("/kubepods/burstable/pod{UID}/0123abcd"), 1),
            (
                format!("/kubepods/besteffort/pod{UID}/crio-0123/container"),
                2,
            ),
            (
                format!(
                    "/kubepods.slice/kubepods-burstable.slice/\
                     kubepods-burstable-pod{slice}.slice/cri-containerd-0123.scope"
                ),
                1,
            ),
            (
                format!("/kubepods.slice/kubepods-pod{slice}.slice/crio-0123.scope/container"),
                2,
            ),
            (
                format!(
                    "/system.slice/docker-01.scope/kubelet.slice/kubelet-kubepods.slice/\
                     kubelet-kubepods-besteffort.slice/\
                     kubelet-kubepods-besteffort-pod{slice}.slice/cri-containerd-0123.scope"
                ),
                1,
            ),
            (format!("/docker/01/kubelet/kubepods/pod{UID}/0123"), 1),
            (
                "/kubepods/podc8b2d54a2f9d2f0c6d5c8a9f1d0e7b63/01".to_owned(),
                1,
            ),
        ] {
            assert_eq!(place(&path), Some(expected), "{path}");
        }
    }

    #[test]
    fn the_nearest_counts() {
        let path = format!("/kubepods/pod{UID}/01/kubepods/besteffort/podinner/02");
        assert_eq!(place(&path), Some(1));
    }

    #[test]
    fn nothing_else_is_taken_for_a_pod() {
        for path in [
            "",
            "/",
            "/docker/0123abcd",
            "/system.slice/docker-0123.scope",
            "/machine.slice/libpod-0123.scope/container",
            "/user.slice/user-0.slice/podman-1.scope",
            "/kubepods",
            "/kubepods/burstable",
            "/kubepods/burstable/pod",
            "/kubepods.slice/kubepods-burstable.slice",
            "/elsewhere/pod0123/01",
            "/kubepods/other/podabc/01",
            "/kubepods/burstable/pod.scope/01",
            "/kubepods-burstable-podabc/01",
        ] {
            assert_eq!(place(path), None, "{path}");
        }
    }
}
