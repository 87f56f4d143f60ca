//! The state that survives a restart (`--state-dir`): the targets, and the time until which they
//! were recorded.
//!
//! It is one file, replaced atomically by a rename. It is valid for one boot and one pod: after a
//! reboot all namespaces are new, and namespaces of another pod must not be traced. The state is
//! optional: any error in it is reported, and tracing continues without it.

mod dir;
mod error;
mod keeper;

use std::{fs, io};

pub(crate) use dir::{Pod, Previous, StateDir};
pub(crate) use error::StateError;
pub(crate) use keeper::Keeper;

/// File with a new random id at each read.
const RANDOM_ID: &str = "/proc/sys/kernel/random/uuid";

/// A new random id.
///
/// # Errors
/// If /proc cannot be read.
pub(crate) fn random_id() -> io::Result<String> {
    Ok(fs::read_to_string(RANDOM_ID)?.trim_end().to_owned())
}
