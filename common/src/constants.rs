//! The constants of the probes: their placeholders in the object file, and their values.
//!
//! A constant is part of an instruction that sets a register. User space puts the value into the
//! instruction before it loads the object. So the probes read no memory for a constant, and the
//! verifier knows the value.

use bytemuck::{bytes_of, cast_slice};

use crate::{offsets::Offsets, probe_config::ProbeConfig};

/// In the object file, an instruction that sets a register to a constant has this number plus the
/// index of the constant's word. No other instruction of the object has a number near this one.
pub const FIRST_CONSTANT: i32 = 0x7e57_0000;

/// Number of 32-bit words of [`ProbeConfig`]. They come first; the words of [`Offsets`] follow.
pub const CONFIG_WORDS: usize = size_of::<ProbeConfig>() / size_of::<u32>();

/// Number of words.
pub const WORDS: usize = CONFIG_WORDS + size_of::<Offsets>() / size_of::<u32>();

/// The values of all words.
pub fn words<'a>(config: &'a ProbeConfig, offsets: &'a Offsets) -> impl Iterator<Item = u32> + 'a {
    let config: &[u32] = cast_slice(bytes_of(config));
    let offsets: &[u32] = cast_slice(bytes_of(offsets));
    config.iter().chain(offsets).copied()
}
