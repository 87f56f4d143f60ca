//! Access to the maps of the loaded object.

use aya::{
    Ebpf,
    maps::{Map, MapError},
};

use super::error::AttachError;

/// Takes a map out of the object.
pub(super) fn take<T: TryFrom<Map, Error = MapError>>(
    ebpf: &mut Ebpf,
    name: &'static str,
) -> Result<T, AttachError> {
    let map = ebpf.take_map(name).ok_or(AttachError::Missing(name))?;
    T::try_from(map).map_err(|source| AttachError::Map { map: name, source })
}

/// Changes a map that stays in the object: programs loaded later use it too.
pub(super) fn with_map(
    ebpf: &mut Ebpf,
    name: &'static str,
    change: impl FnOnce(&mut Map) -> Result<(), MapError>,
) -> Result<(), AttachError> {
    let map = ebpf.map_mut(name).ok_or(AttachError::Missing(name))?;
    change(map).map_err(|source| AttachError::Map { map: name, source })
}
