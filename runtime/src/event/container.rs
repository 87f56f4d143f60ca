//! The containers of a process, from the names of its cgroups.
//!
//! Container runtimes name the cgroup of a container by its id, 64 hexadecimal digits. With the
//! cgroupfs driver, the name is the id alone or `crio-ID`. With the systemd driver, it is the name
//! of a scope, such as `cri-containerd-ID.scope`, `crio-ID.scope`, `docker-ID.scope` and
//! `libpod-ID.scope`.

use std::{fmt, num::NonZeroU64};

use exectrail_common::cgroup_names::{CGROUP_NAME, NAMES};

use super::decode::CgroupNamesRecord;

/// Digits of a container's id.
const DIGITS: usize = 64;
/// Digits of a shortened id: the first ones, as in `docker ps` and Falco.
const SHORT_DIGITS: usize = 12;

/// The first [`SHORT_DIGITS`] digits of a container's id. Not 0, so that an `Option` is no larger.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ContainerId(NonZeroU64);

impl ContainerId {
    /// The id in the name of a cgroup.
    fn in_name(name: &[u8]) -> Option<Self> {
        let name = name.strip_suffix(b".scope").unwrap_or(name);
        let (before, digits) = name.split_at_checked(name.len().checked_sub(DIGITS)?)?;
        let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let ends_before = before
            .last()
            .is_none_or(|byte| !byte.is_ascii_alphanumeric());
        if !ends_before || !digits.iter().all(is_digit) {
            return None;
        }
        let short = str::from_utf8(digits.get(..SHORT_DIGITS)?).ok()?;
        // Bit 63 is set so that an id of zeros is not 0; 12 digits need only 48 bits.
        let number = u64::from_str_radix(short, 16).ok()?;
        NonZeroU64::new(number | 1 << 63).map(Self)
    }
}

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:0SHORT_DIGITS$x}", self.0.get() & !(1 << 63))
    }
}

impl fmt::Debug for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl serde::Serialize for ContainerId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The containers that a cgroup is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Containers {
    /// The outermost one: a container of the pod. No process in the pod can change the name of this
    /// container's cgroup.
    pub outermost: ContainerId,
    /// The innermost one, if it differs from the outermost. A process of the workspace that can
    /// create cgroups can choose the name of this container's cgroup.
    pub innermost: Option<ContainerId>,
}

impl Containers {
    /// The containers of the cgroup that `record` names, if it is in any.
    pub(crate) fn of(record: &CgroupNamesRecord<'_>) -> Option<Self> {
        let count = usize::try_from(record.head.levels).map_or(NAMES, |levels| levels.min(NAMES));
        let mut ids = record
            .names
            .chunks(CGROUP_NAME)
            .take(count)
            .filter_map(|name| ContainerId::in_name(name.split(|byte| *byte == 0).next()?));
        let innermost = ids.next()?;
        let outermost = ids.next_back().unwrap_or(innermost);
        Some(Self {
            outermost,
            innermost: (innermost != outermost).then_some(innermost),
        })
    }
}

#[cfg(test)]
mod tests {
    use exectrail_common::cgroup_names::CgroupNames;

    use super::*;

    const A: &str = "0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9";
    const B: &str = "ffffffffffff60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9";

    /// The containers of a cgroup with this path below the pod's.
    fn containers(path: &str) -> Option<(String, Option<String>)> {
        let mut names = [0; NAMES * CGROUP_NAME];
        let levels = path.split('/').count();
        for (level, name) in path.rsplit('/').enumerate() {
            let at = level.min(NAMES - 1) * CGROUP_NAME;
            names[at..at + CGROUP_NAME].fill(0xff);
            names[at..at + name.len()].copy_from_slice(name.as_bytes());
            names[at + name.len()] = 0;
        }
        let head = CgroupNames {
            levels: levels as u64,
            ..CgroupNames::default()
        };
        let found = Containers::of(&CgroupNamesRecord {
            head,
            names: &names,
        })?;
        let inner = found.innermost.map(|id| id.to_string());
        Some((found.outermost.to_string(), inner))
    }

    #[test]
    fn the_names_of_each_runtime_have_the_id() {
        for name in [
            A.to_owned(),
            format!("cri-containerd-{A}.scope"),
            format!("crio-{A}.scope/container"),
            format!("crio-{A}"),
            format!("docker-{A}.scope"),
            format!("libpod-{A}.scope/container"),
            format!("kubepods-besteffort-pod1.slice:cri-containerd:{A}"),
        ] {
            assert_eq!(containers(&name), Some(("0a1b2c3d4e5f".to_owned(), None)));
        }
    }

    #[test]
    fn a_container_in_a_container_is_both() {
        let both = Some(("0a1b2c3d4e5f".to_owned(), Some("ffffffffffff".to_owned())));
        assert_eq!(containers(&format!("{A}/docker/{B}")), both);
        let between = "a/".repeat(30);
        assert_eq!(containers(&format!("{A}/{between}{B}/init.scope")), both);
    }

    #[test]
    fn other_names_are_no_containers() {
        let longer = format!("0{A}");
        let upper = A.to_uppercase();
        for name in [
            "",
            "init.scope",
            "user.slice",
            &A[1..],
            &longer,
            &upper,
            "\u{e9}",
        ] {
            assert_eq!(containers(name), None, "{name}");
        }
    }

    #[test]
    fn an_id_of_zeros_is_a_container() {
        let zeros = "0".repeat(DIGITS);
        assert_eq!(containers(&zeros), Some(("000000000000".to_owned(), None)));
    }

    #[test]
    fn a_record_without_levels_or_without_nuls_names_no_container() {
        let names = [b'0'; NAMES * CGROUP_NAME];
        for levels in [0, u64::MAX] {
            let head = CgroupNames {
                levels,
                ..CgroupNames::default()
            };
            // Without a NUL all 128 bytes are the name.
            let record = CgroupNamesRecord {
                head,
                names: &names,
            };
            assert_eq!(Containers::of(&record), None);
        }
    }
}
