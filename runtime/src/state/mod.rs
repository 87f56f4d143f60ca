//! The state that survives a restart (`--state-dir`): the targets, the time until which they were
//! recorded, and the last checkpoint.
//!
//! The state is one file, replaced atomically by a rename. It is valid for one boot and one pod.
//! After a reboot all namespaces are new, and namespaces of another pod must not be traced. The
//! state is optional: any error in it is reported, and tracing continues without it.

mod error;
mod file;
mod keeper;

use procfs::{ProcResult, sys::kernel::random};

pub(crate) use error::StateError;
pub(crate) use file::{Pod, Previous, StateFile};
pub(crate) use keeper::Keeper;

/// Number of hexadecimal digits of a run's id: 48 bits, so that even a million runs hardly ever
/// have equal ids.
const ID_DIGITS: usize = 12;

/// A new random id.
///
/// # Errors
/// If /proc cannot be read.
pub(crate) fn random_id() -> ProcResult<String> {
    let uuid = random::uuid()?;
    let digits = uuid.chars().filter(char::is_ascii_hexdigit);
    Ok(digits.take(ID_DIGITS).collect())
}
