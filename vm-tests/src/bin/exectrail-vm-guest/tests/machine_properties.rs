//! Checks that the machine is the one that its tests are for: on another machine they could pass
//! without testing anything.

use std::fs;

use anyhow::{Context, Result, ensure};
use exectrail_vm_tests::{Plan, Variant};

use crate::{machine::startup::BPF_JIT_ENABLE, report::Report};

/// Lockdown, processors, cgroups and the eBPF JIT compiler are as the plan requires; page size and
/// preemption are as the kernel's name indicates.
pub(crate) fn the_machine_is_as_asked_for(plan: &Plan, _: &Report) -> Result<()> {
    let lockdown = plan.scenario.lockdown().unwrap_or("none");
    holds("/sys/kernel/security/lockdown", |state| {
        state.contains(&format!("[{lockdown}]"))
    })?;

    let (online, possible) = match plan.variant {
        Variant::OneCpu => ("0", "0"),
        Variant::ManyCpus => ("0-3", "0-191"),
        Variant::Usual | Variant::CgroupV1 | Variant::NoJit | Variant::Systemd => ("0-1", "0-1"),
    };
    holds("/sys/devices/system/cpu/online", |cpus| cpus == online)?;
    holds("/sys/devices/system/cpu/possible", |cpus| cpus == possible)?;

    let compiled = plan.variant != Variant::NoJit;
    holds(BPF_JIT_ENABLE, |value| (value != "0") == compiled)?;

    let v1 = plan.variant == Variant::CgroupV1;
    holds("/proc/mounts", |mounts| {
        let has = |start: &str| mounts.lines().any(|line| line.starts_with(start));
        has("cgroup2 ") != v1 && has("cgroup /sys/fs/cgroup/pids ") == v1
    })?;

    let kernel = rustix::system::uname();
    let release = kernel.release().to_string_lossy();
    let page = if release.contains("-16k") {
        16384
    } else {
        4096
    };
    ensure!(
        rustix::param::page_size() == page,
        "{release} has pages of {} bytes",
        rustix::param::page_size()
    );
    let version = kernel.version().to_string_lossy();
    ensure!(
        version.contains("PREEMPT_RT") == release.contains("-rt-"),
        "{release} is {version}"
    );
    Ok(())
}

fn holds(path: &str, expected: impl FnOnce(&str) -> bool) -> Result<()> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    ensure!(
        expected(text.trim()),
        "{path} is not as the plan requires: {text}"
    );
    Ok(())
}
