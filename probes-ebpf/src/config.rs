//! The constants that user space sets before load: the offsets of the kernel's fields, and the
//! probes' configuration.

use exectrail_common::{offsets::Offsets, probe_config::ProbeConfig};

/// The offsets of the kernel's fields; set by user space before load, then frozen.
#[unsafe(no_mangle)]
// SAFETY: all fields are integers, for which zero is a value.
pub(crate) static OFFSETS: Offsets = unsafe { core::mem::zeroed() };

/// The probes' configuration; set by user space before load, then frozen.
#[unsafe(no_mangle)]
// SAFETY: all fields are integers, for which zero is a value.
pub(crate) static CONFIG: ProbeConfig = unsafe { core::mem::zeroed() };

/// The offset of a field. Volatile, or the compiler would use the zero above.
macro_rules! offset {
    ($field:ident) => {
        // SAFETY: reads an initialised static of plain integers.
        unsafe { core::ptr::read_volatile(&raw const $crate::config::OFFSETS.$field) }
    };
}
pub(crate) use offset;

/// A field of [`CONFIG`].
macro_rules! config {
    ($field:ident) => {
        // SAFETY: reads an initialised static of plain integers.
        unsafe { core::ptr::read_volatile(&raw const $crate::config::CONFIG.$field) }
    };
}
pub(crate) use config;
