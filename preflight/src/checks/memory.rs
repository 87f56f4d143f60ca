//! Whether the memory limit has room for the ring buffer, the probes' other maps, and long argv.
//!
//! From Linux 5.11 on, maps count against the memory cgroup of the process that makes them. From
//! 6.0 on, the node pays for per-CPU maps instead (measured on 6.1 to 7.3). The reason is that a
//! map has no cgroup yet when its per-CPU values are allocated.

use std::path::{Component, Path, PathBuf};

use exectrail_common::counters::LANES;
use exectrail_common::map_memory;
use procfs_core::ProcessCGroup;

use super::node::Node;
use crate::files::{self, ReadError};
use crate::options::pending_argv_bytes;
use crate::release::KernelVersion;
use crate::report::{Check, Id, Verdict};

/// Memory for the process and the small maps, in bytes. Half of this is reserve, because starts
/// differ: on 5.10 one start in three was killed with 6 MiB.
const PROCESS: u64 = 12 << 20;
/// During the start, memory holds the kernel's types or, with `--failed-execs`, a list with one
/// entry per type. At most this factor times the size of the types is needed.
const TYPES_TAKEN_APART: u64 = 2;
/// Assumed size of the types if it is unknown: more than distributions' kernels have.
const TYPES: u64 = 8 << 20;
/// Memory at run time for the buffers of lines and of records, and for 144 clients; long argv is
/// counted separately.
const RUNNING: u64 = 8 << 20;
/// Assumed number of CPUs if it is unknown.
const CPUS: u64 = 64;
/// Maximum depth of nested cgroups to examine.
const MAX_DEPTH: usize = 32;

struct Limit {
    path: PathBuf,
    bytes: u64,
}

pub(super) fn check(node: &Node<'_>) -> Check {
    let own = node.proc("self/cgroup");
    let cgroups = match files::read_text(&own) {
        Ok(text) => files::parse_cgroups(&text),
        Err(error) => {
            return Check::new(
                Id::Memory,
                Verdict::Unknown,
                "the memory limit could not be read",
            )
            .saw_in(&own, "", error)
            .remedy("make procfs readable, or pass its root with --proc");
        }
    };
    let cgroup = memory_cgroup(&cgroups);
    let mut unreadable = Vec::new();
    let mut least: Option<Limit> = None;
    for path in limit_files(node, cgroup) {
        match files::read_text(&path) {
            Ok(text) => match parse(&text) {
                Some(bytes) if least.as_ref().is_none_or(|limit| bytes < limit.bytes) => {
                    least = Some(Limit { path, bytes });
                }
                Some(_) => {}
                None => unreadable.push((path, format!("{:?} is not a limit", text.trim()))),
            },
            // The root cgroup has no file with a limit, and a container does not see the cgroups
            // above its own.
            Err(ReadError::Missing) => {}
            Err(error) => unreadable.push((path, error.to_string())),
        }
    }

    let ring = node.options.ring_bytes;
    let (cpus, lanes) = (cpus(node), lanes(node));
    let per_cpu = map_memory::per_cpu_bytes_of_all(cpus, lanes);
    let is_charged = !node.needs_memlock();
    let is_per_cpu_charged = is_charged
        && node
            .version()
            .is_some_and(|version| version < KernelVersion::NODE_PAYS_PER_CPU_MAPS);
    let maps = if is_charged {
        ring.saturating_add(map_memory::early_bytes(cpus))
            .saturating_add(map_memory::failed_bytes(cpus))
            .saturating_add(if is_per_cpu_charged { per_cpu } else { 0 })
    } else {
        0
    };
    let needed = maps.saturating_add(process(node));
    let (of_ring, or_ring) = if is_charged {
        let of_ring = format!("a ring buffer of {} MiB, ", ring >> 20);
        (of_ring, "--ring-bytes or ")
    } else {
        (String::new(), "")
    };
    let limited = least.as_ref().filter(|limit| limit.bytes < UNLIMITED);
    let mut check = match limited {
        Some(limit) if limit.bytes < needed => Check::new(
            Id::Memory,
            Verdict::Unmet,
            format_args!(
                "the limit is {} MiB, but {of_ring}argv of up to {} KiB, and the process \
                 need {} MiB",
                limit.bytes >> 20,
                node.options.max_argv_bytes >> 10,
                needed.div_ceil(1 << 20)
            ),
        )
        .remedy(format_args!(
            "set the container's resources.limits.memory to {}Mi or more, or lower {or_ring}\
             --max-argv-bytes",
            needed.div_ceil(1 << 20)
        )),
        _ if !unreadable.is_empty() => Check::new(
            Id::Memory,
            Verdict::Unknown,
            "a memory limit could not be read",
        )
        .remedy("make the cgroup file system readable (/sys/fs/cgroup)"),
        Some(limit) => Check::new(
            Id::Memory,
            Verdict::Ok,
            format_args!(
                "the limit is {} MiB; {} MiB are needed",
                limit.bytes >> 20,
                needed.div_ceil(1 << 20)
            ),
        ),
        None => Check::new(Id::Memory, Verdict::Ok, "no memory limit was found"),
    };
    match &least {
        Some(Limit {
            path,
            bytes: u64::MAX,
        }) => check = check.saw_in(path, "", "max"),
        Some(Limit { path, bytes }) => check = check.saw_in(path, "", bytes),
        None => {}
    }
    for (path, why) in unreadable {
        check = check.saw_in(&path, "", why);
    }
    check
        .saw_in(
            &own,
            "",
            cgroup.map_or_else(|| "no memory controller".to_owned(), line),
        )
        .saw(
            "charged to the container, at most",
            format_args!("{} MiB", needed.div_ceil(1 << 20)),
        )
        .saw(
            if is_per_cpu_charged {
                "per-CPU memory in that sum"
            } else {
                "per-CPU memory that the node pays, at most"
            },
            format_args!(
                "{} KiB for {cpus} possible CPUs; {} KiB without --exit-events and suppression",
                per_cpu >> 10,
                map_memory::per_cpu_bytes(cpus, lanes) >> 10
            ),
        )
}

/// Memory for the process, and for the maps that are the same on every node.
fn process(node: &Node<'_>) -> u64 {
    let types = node
        .sys("kernel/btf/vmlinux")
        .metadata()
        .map_or(TYPES, |metadata| metadata.len());
    let types = types.saturating_mul(TYPES_TAKEN_APART);
    // The process frees the memory that its start needed before it records anything.
    let running = pending_argv_bytes(node.options.max_argv_bytes).saturating_add(RUNNING);
    PROCESS.saturating_add(types.max(running))
}

/// The number of possible CPUs.
fn cpus(node: &Node<'_>) -> u64 {
    files::read_text(&node.sys("devices/system/cpu/possible"))
        .ok()
        .and_then(|list| count(&list))
        .unwrap_or(CPUS)
}

/// Number of copies of the programs on this kernel.
fn lanes(node: &Node<'_>) -> u32 {
    let in_lanes = node
        .version()
        .is_some_and(|version| version >= KernelVersion::PREEMPTIBLE_TRACEPOINTS);
    if in_lanes { LANES } else { 1 }
}

/// Number of elements in a list such as `0-3,8`.
fn count(list: &str) -> Option<u64> {
    list.trim().split(',').try_fold(0_u64, |sum, range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (first.parse::<u64>().ok()?, last.parse::<u64>().ok()?);
        let numbers = last.checked_sub(first)?.saturating_add(1);
        Some(sum.saturating_add(numbers))
    })
}

/// Values from here on mean "no limit": cgroup v1 uses `PAGE_COUNTER_MAX`.
const UNLIMITED: u64 = 1 << 62;

fn parse(text: &str) -> Option<u64> {
    match text.trim() {
        "max" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

/// The cgroup of the memory controller: that of v1 if it exists, else that of v2.
fn memory_cgroup(cgroups: &[ProcessCGroup]) -> Option<&ProcessCGroup> {
    let has_memory = |cgroup: &&ProcessCGroup| cgroup.controllers.iter().any(|c| c == "memory");
    let v1 = cgroups.iter().find(has_memory);
    v1.or_else(|| cgroups.iter().find(|cgroup| cgroup.hierarchy == 0))
}

/// A cgroup as in its file: `ID:CONTROLLERS:PATH`.
fn line(cgroup: &ProcessCGroup) -> String {
    let ProcessCGroup {
        hierarchy,
        controllers,
        pathname,
    } = cgroup;
    format!("{hierarchy}:{}:{pathname}", controllers.join(","))
}

/// The limit files of the process's cgroup and of those above it: the lowest limit applies.
fn limit_files(node: &Node<'_>, cgroup: Option<&ProcessCGroup>) -> Vec<PathBuf> {
    let Some(cgroup) = cgroup else {
        return Vec::new();
    };
    let path = &cgroup.pathname;
    let (root, file) = if cgroup.hierarchy == 0 {
        let unified = node.sys("fs/cgroup/unified");
        let root = if unified.is_dir() {
            unified
        } else {
            node.sys("fs/cgroup")
        };
        (root, "memory.max")
    } else {
        (node.sys("fs/cgroup/memory"), "memory.limit_in_bytes")
    };
    // A cgroup namespace shows a cgroup outside it with `/..`; such a path does not exist here.
    let names: Vec<_> = Path::new(path)
        .components()
        .filter(|component| *component != Component::RootDir)
        .take(MAX_DEPTH)
        .collect();
    let inside = names
        .iter()
        .all(|component| matches!(component, Component::Normal(_)));
    let depth = if inside { names.len() } else { 0 };
    (0..=depth)
        .rev()
        .map(|depth| {
            let mut path = root.clone();
            path.extend(&names[..depth]);
            path.push(file);
            path
        })
        .collect()
}
