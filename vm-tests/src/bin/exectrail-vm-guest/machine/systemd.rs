//! systemd as the first process of a node: it makes cgroups for programs that ask on its socket.
//!
//! systemd starts none of Debian's services by itself, because the tests would wait for them. The
//! tests run beside systemd, in a program that the first process starts before it becomes systemd.

use std::{fs, os::unix::process::CommandExt as _, path::Path, process::Command};

use anyhow::{Context, Result, anyhow};
use exectrail_testbed::wait::try_wait_for;

use super::{
    node_program::{command, run},
    runtime::SELF,
};

/// Runs the tests beside systemd.
pub(crate) const BESIDE: &str = "beside-systemd";

const PROGRAM: &str = "/usr/lib/systemd/systemd";

/// systemd's socket, to which `systemctl` and runc connect as root.
const SOCKET: &str = "/run/systemd/private";

/// Directory of the units that the node adds.
const UNITS: &str = "/etc/systemd/system";

/// The unit that systemd starts. The unit has no programs.
const TARGET: &str = "node.target";
const TARGET_UNIT: &str = "\
[Unit]
Description=A node of the tests
DefaultDependencies=no
";

/// Programs that systemd executes at its start; they make units from Debian's files.
const GENERATORS: &str = "/usr/lib/systemd/system-generators";

/// An id of the machine: without an id, systemd assumes the machine's first boot and enables all
/// services.
const MACHINE_ID: &str = "7b0c5f4e1d2a4c3b9e8f001122334455\n";

/// Starts the tests, and becomes systemd. Returns only if it cannot.
pub(crate) fn hand_over() -> Result<()> {
    configure().context("cannot configure systemd")?;
    Command::new(SELF)
        .arg(BESIDE)
        .spawn()
        .context("cannot start the tests")?;
    let error = command(PROGRAM)
        .arg(format!("--unit={TARGET}"))
        // The console is shown if the machine fails.
        .args(["--log-target=console", "--log-level=notice"])
        .args(["--show-status=no", "--crash-reboot=yes"])
        .exec();
    Err(anyhow!(error).context(format!("cannot become {PROGRAM}")))
}

fn configure() -> Result<()> {
    fs::write("/etc/machine-id", MACHINE_ID)?;
    add_unit(TARGET, TARGET_UNIT)?;
    for generator in fs::read_dir(GENERATORS)? {
        fs::remove_file(generator?.path())?;
    }
    Ok(())
}

/// Adds a file of a unit: the unit itself, or `UNIT.d/NAME.conf`, which changes a unit of Debian.
pub(crate) fn add_unit(name: &str, text: &str) -> Result<()> {
    let path = format!("{UNITS}/{name}");
    if let Some((directory, _)) = path.rsplit_once('/') {
        fs::create_dir_all(directory)?;
    }
    fs::write(&path, text).with_context(|| format!("cannot write {path}"))
}

/// Waits until systemd has started.
pub(crate) fn wait_until_started() -> Result<()> {
    try_wait_for("systemd's socket", || {
        anyhow::Ok(Path::new(SOCKET).exists().then_some(()))
    })?;
    let mut refused = String::new();
    try_wait_for("systemd's target", || {
        let answer = run("systemctl", &["is-active", TARGET]);
        anyhow::Ok(answer.map_err(|error| refused = error.to_string()).ok())
    })
    .map(drop)
    .with_context(|| refused)
}
