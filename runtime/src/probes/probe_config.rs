//! The configuration of the probes that depends on the sidecar and its node, set before loading.

use std::{
    ffi::OsStr,
    fs::File,
    io::{BufRead as _, BufReader},
};

use exectrail_common::{
    map_memory::early_slots,
    offsets::ABSENT,
    probe_config::{
        FIELD_CAP_GAINED, FIELD_CGROUP_NAMES, FIELD_CWD, FIELD_EXE, FIELD_RELATIVE_CWD,
        FIELD_STACK_FILENAME, FIELD_TTY, HIERARCHY_DEFAULT, HIERARCHY_NONE, HIERARCHY_V1,
        ProbeConfig,
    },
};
use exectrail_preflight::{Hierarchy, Kernel};
use procfs::process::{MMapPath, Process};

use super::{
    error::AttachError,
    options::{Hook, Options},
};

/// The configuration for `lanes` lanes and `cpus` possible CPUs.
pub(super) fn of(
    kernel: &Kernel,
    options: &Options,
    lanes: u32,
    cpus: usize,
) -> Result<ProbeConfig, AttachError> {
    let process = Process::myself().map_err(AttachError::Proc)?;
    let namespaces = process.namespaces().map_err(AttachError::Proc)?;
    let namespace = |kind: &'static str| {
        let namespace = namespaces.0.get(OsStr::new(kind));
        namespace.ok_or(AttachError::NoNamespace(kind))
    };
    let (pid_ns, net_ns) = (namespace("pid")?, namespace("net")?);
    let (hierarchy, css_set_cgroup) = hierarchy(&process, kernel);
    Ok(ProbeConfig {
        nsfs_dev: pid_ns.device_id,
        // Inode numbers of namespaces have 32 bits (`ns_common.inum`, include/linux/ns_common.h).
        pid_ns: pid_ns.identifier as u32,
        net_ns: net_ns.identifier as u32,
        tgid: std::process::id(),
        max_argv_bytes: options.max_argv_bytes,
        exit_events: u32::from(options.exit_events),
        ancestor_ids: u32::from(kernel.offsets.cgroup_ancestors == ABSENT),
        lanes,
        hierarchy,
        css_set_cgroup,
        early_other_slots: early_slots(cpus as u64) - 1,
        page_size: u32::try_from(rustix::param::page_size()).unwrap_or(4096),
        count_execs: u32::from(options.failed_execs.contains(&Hook::Fexit)),
        fields: fields(options.fields, kernel, hierarchy),
        zero: 0,
        stack_top: stack_top(&process),
    })
}

/// The parts of `wanted` for which this kernel has the fields.
fn fields(wanted: u32, kernel: &Kernel, hierarchy: u32) -> u32 {
    let readable = |field| match field {
        FIELD_EXE | FIELD_CWD | FIELD_RELATIVE_CWD => kernel.offsets.has_paths(),
        FIELD_TTY => kernel.offsets.has_tty(),
        FIELD_STACK_FILENAME => true,
        FIELD_CGROUP_NAMES => hierarchy != HIERARCHY_NONE,
        _ => kernel.offsets.cred_cap_permitted != ABSENT,
    };
    [
        FIELD_EXE,
        FIELD_CWD,
        FIELD_RELATIVE_CWD,
        FIELD_TTY,
        FIELD_CAP_GAINED,
        FIELD_CGROUP_NAMES,
        FIELD_STACK_FILENAME,
    ]
    .into_iter()
    .filter(|field| wanted & field != 0 && readable(*field))
    .fold(0, |fields, field| fields | field)
}

/// The cgroup hierarchy of pods, and the offset in `struct css_set` of the pointer for that
/// hierarchy.
fn hierarchy(process: &Process, kernel: &Kernel) -> (u32, u32) {
    let cgroups = process
        .cgroups()
        .map_or_else(|_| Vec::new(), |cgroups| cgroups.0);
    let offsets = &kernel.offsets;
    match Hierarchy::of(&cgroups, kernel.controllers, offsets) {
        Hierarchy::Unified => (HIERARCHY_DEFAULT, offsets.css_set_dfl_cgrp),
        Hierarchy::Of { index, .. } => {
            let pointer = size_of::<u64>() as u32;
            (HIERARCHY_V1, offsets.css_set_subsys + index * pointer)
        }
        Hierarchy::None => (HIERARCHY_NONE, 0),
    }
}

/// `STACK_TOP_MAX`: the end of a new program's stack, in its own memory.
///
/// On x86-64 that is a page below 2^47 or, with five levels of page tables (`la57`), 2^56
/// (`task_size_max`, arch/x86/include/asm/page_64.h). On arm64 it is the size of the address space
/// that programs have by default (`DEFAULT_MAP_WINDOW_64`, arch/arm64/include/asm/processor.h).
/// Every stack is in the upper half of that space. So the size is the end of exectrail's own stack,
/// rounded up to a power of two.
///
/// With a wrong value the probes cannot read new programs' stacks, and the lines show that.
fn stack_top(process: &Process) -> u64 {
    if cfg!(target_arch = "x86_64") {
        let bits = if has_la57() { 56 } else { 47 };
        (1 << bits) - 4096
    } else {
        own_stack_end(process).map_or(0, u64::next_power_of_two)
    }
}

/// Whether the CPUs use five levels of page tables.
fn has_la57() -> bool {
    let Ok(file) = File::open("/proc/cpuinfo") else {
        return false;
    };
    // Only the first processor is read, because all have the same flags. The crate procfs would
    // parse the flags of all processors, which are megabytes on a large node.
    BufReader::new(file)
        .lines()
        .map_while(Result::ok)
        .find(|line| line.starts_with("flags"))
        .is_some_and(|flags| flags.split_whitespace().any(|flag| flag == "la57"))
}

/// The end of this process's stack.
fn own_stack_end(process: &Process) -> Option<u64> {
    let maps = process.maps().ok()?;
    let stack = maps
        .into_iter()
        .find(|map| map.pathname == MMapPath::Stack)?;
    Some(stack.address.1)
}
