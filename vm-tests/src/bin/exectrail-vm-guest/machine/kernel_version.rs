//! The version of the running kernel.

use anyhow::{Context as _, Result};
use exectrail_preflight::KernelVersion;

/// Whether the kernel is older than a version.
pub(crate) fn is_before((major, minor): (u32, u32)) -> Result<bool> {
    let uname = rustix::system::uname();
    let release = uname.release().to_string_lossy();
    let version =
        KernelVersion::parse(&release).with_context(|| format!("an unusual release: {release}"))?;
    Ok(version < KernelVersion::new(major, minor, 0))
}
