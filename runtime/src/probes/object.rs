//! The programs as they are loaded, with the offsets of this kernel's fields.

use aya::include_bytes_aligned;
use bytemuck::{bytes_of, cast_slice};
use exectrail_common::offsets::{ABSENT, Offsets};

use super::error::AttachError;

/// The object that build.rs builds from `probes-ebpf`.
pub(super) static OBJECT: &[u8] =
    include_bytes_aligned!(concat!(env!("OUT_DIR"), "/exectrail-probes"));

/// Position in the object of each offset of a kernel field, and the field of [`Offsets`] for it.
static FIELD_LOADS: &[(usize, usize)] = &include!(concat!(env!("OUT_DIR"), "/field_loads.rs"));

/// The object with the offsets of this kernel.
pub(super) fn object(offsets: &Offsets) -> Result<Vec<u8>, AttachError> {
    let mut object = OBJECT.to_vec();
    let fields: &[u32] = cast_slice(bytes_of(offsets));
    for (at, field) in FIELD_LOADS {
        let offset = fields.get(*field).copied().unwrap_or(u32::MAX);
        // No program executes a load of an absent field; the verifier does not reach it either.
        let offset = if offset == ABSENT { 0 } else { offset };
        let near = i16::try_from(offset).map_err(|_| AttachError::FarField(offset))?;
        object
            .get_mut(*at..*at + size_of::<i16>())
            .ok_or(AttachError::Missing("load of a field"))?
            .copy_from_slice(&near.to_ne_bytes());
    }
    Ok(object)
}
