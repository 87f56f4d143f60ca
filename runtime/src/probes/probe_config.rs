//! The configuration of the probes that depends on the sidecar and its node, set before loading.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader},
    os::linux::fs::MetadataExt as _,
    path::Path,
};

use exectrail_common::{
    map_memory::early_slots,
    offsets::ABSENT,
    probe_config::{HIERARCHY_DEFAULT, HIERARCHY_NONE, HIERARCHY_V1, ProbeConfig},
};
use exectrail_preflight::{Hierarchy, Kernel};

use super::{
    error::AttachError,
    options::{Hook, Options},
};

/// Inode number of one of our namespaces, and its device.
fn namespace(which: &str) -> Result<(u32, u64), AttachError> {
    let path = Path::new("/proc/self/ns").join(which);
    match fs::metadata(&path) {
        // Namespace inode numbers are 32 bits wide (`ns_common.inum`, include/linux/ns_common.h).
        Ok(metadata) => Ok((metadata.st_ino() as u32, metadata.st_dev())),
        Err(source) => Err(AttachError::Read { path, source }),
    }
}

/// The configuration for `lanes` lanes and `cpus` possible CPUs.
pub(super) fn of(
    kernel: &Kernel,
    options: &Options,
    lanes: u32,
    cpus: usize,
) -> Result<ProbeConfig, AttachError> {
    let (pid_ns, nsfs_dev) = namespace("pid")?;
    let (net_ns, _) = namespace("net")?;
    let (hierarchy, css_set_cgroup) = hierarchy(kernel);
    Ok(ProbeConfig {
        nsfs_dev,
        pid_ns,
        net_ns,
        tgid: std::process::id(),
        max_argv_bytes: options.max_argv_bytes,
        read_kernel: u32::from(kernel.read_kernel),
        exit_events: u32::from(options.exit_events),
        ancestor_ids: u32::from(kernel.offsets.cgroup_ancestors == ABSENT),
        lanes,
        hierarchy,
        css_set_cgroup,
        early_mask: early_slots(cpus as u64) - 1,
        page_size: u32::try_from(rustix::param::page_size()).unwrap_or(4096),
        count_execs: u32::from(options.failed_execs.contains(&Hook::Fexit)),
        zero: 0,
        stack_top: stack_top(),
    })
}

/// The cgroup hierarchy of pods, and the offset of its pointer in a `struct css_set`.
fn hierarchy(kernel: &Kernel) -> (u32, u32) {
    let text = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let offsets = &kernel.offsets;
    match Hierarchy::of(&text, kernel.controllers, offsets) {
        Hierarchy::Unified => (HIERARCHY_DEFAULT, offsets.css_set_dfl_cgrp),
        Hierarchy::Of { place, .. } => {
            let pointer = size_of::<u64>() as u32;
            (HIERARCHY_V1, offsets.css_set_subsys + place * pointer)
        }
        Hierarchy::None => (HIERARCHY_NONE, 0),
    }
}

/// `STACK_TOP_MAX`: the end of a new program's stack, in its own memory.
///
/// On x86-64 that is a page below 2^47 or, with five levels of page tables (`la57`), 2^56
/// (`task_size_max`, arch/x86/include/asm/page_64.h). On arm64 it is the size of the address space
/// that programs have by default (`DEFAULT_MAP_WINDOW_64`, arch/arm64/include/asm/processor.h);
/// every stack is in its upper half. With a wrong value the probes could read nothing there, and
/// the lines would show that.
fn stack_top() -> u64 {
    if cfg!(target_arch = "x86_64") {
        let bits = if has_la57() { 56 } else { 47 };
        (1 << bits) - 4096
    } else {
        own_stack_end().map_or(0, u64::next_power_of_two)
    }
}

/// Whether the CPUs use five levels of page tables.
fn has_la57() -> bool {
    let Ok(file) = File::open("/proc/cpuinfo") else {
        return false;
    };
    // All processors have the flags of the first; a large node has megabytes of them.
    BufReader::new(file)
        .lines()
        .map_while(Result::ok)
        .find(|line| line.starts_with("flags"))
        .is_some_and(|flags| flags.split_whitespace().any(|flag| flag == "la57"))
}

/// The end of our own stack.
fn own_stack_end() -> Option<u64> {
    let maps = fs::read_to_string("/proc/self/maps").ok()?;
    let stack = maps.lines().find(|line| line.ends_with("[stack]"))?;
    let (_, rest) = stack.split_once('-')?;
    u64::from_str_radix(rest.split(' ').next()?, 16).ok()
}
