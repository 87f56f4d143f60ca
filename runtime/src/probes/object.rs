//! The programs as they are loaded, with the offsets of this kernel's fields and the configuration.

use aya::include_bytes_aligned;
use exectrail_common::{
    constants::{CONFIG_WORDS, words},
    offsets::{ABSENT, Offsets},
    probe_config::ProbeConfig,
};

use super::error::AttachError;

/// The object that build.rs builds from `probes-ebpf`.
pub(super) static OBJECT: &[u8] =
    include_bytes_aligned!(concat!(env!("OUT_DIR"), "/exectrail-probes"));

/// For each load of a kernel field: the position of its offset in the object, and the index of the
/// field in [`Offsets`].
static FIELD_LOADS: &[(usize, usize)] = &include!(concat!(env!("OUT_DIR"), "/field_loads.rs"));

/// For each constant: its position in the object, and the index of its value in [`words`].
static CONSTANTS: &[(usize, usize)] = &include!(concat!(env!("OUT_DIR"), "/constants.rs"));

/// The object with these offsets and this configuration.
pub(super) fn object(offsets: &Offsets, config: &ProbeConfig) -> Result<Vec<u8>, AttachError> {
    let mut object = OBJECT.to_vec();
    let words: Vec<u32> = words(config, offsets).collect();
    for (at, field) in FIELD_LOADS {
        let offset = words.get(CONFIG_WORDS + field).copied().unwrap_or(ABSENT);
        // No program executes a load of an absent field; the verifier does not reach it either.
        let offset = if offset == ABSENT { 0 } else { offset };
        let near = i16::try_from(offset).map_err(|_| AttachError::FarField(offset))?;
        put(&mut object, *at, &near.to_ne_bytes())?;
    }
    for (at, index) in CONSTANTS {
        let word = words.get(*index).ok_or(AttachError::Missing("constant"))?;
        put(&mut object, *at, &word.to_ne_bytes())?;
    }
    Ok(object)
}

/// Replaces the bytes at this position.
fn put(object: &mut [u8], at: usize, bytes: &[u8]) -> Result<(), AttachError> {
    object
        .get_mut(at..at + bytes.len())
        .ok_or(AttachError::Missing("instruction"))?
        .copy_from_slice(bytes);
    Ok(())
}
