//! The kernel's types for aya: an id for each name that a program is attached to.
//!
//! aya finds the id of a name by its position among all types. For nine names, aya would parse the
//! kernel's BTF of 5 to 8 MB. Parsing it would take a quarter of the start's time and most of the
//! start's memory. Preflight has already read this BTF. So this module makes BTF
//! (include/uapi/linux/btf.h) in which only the attach points have names, and every other type is a
//! pointer to `void`.

use aya::{Btf, BtfError, Endianness};
use exectrail_preflight::attach_points::{AttachPoint, AttachPoints};
use exectrail_preflight::btf::{MAGIC, kind};

/// Bytes of the header, `struct btf_header`.
const HEADER: u32 = 24;
/// Words of a type without members, `struct btf_type`: name, kind, and the type referred to.
const TYPE: usize = 3;

/// Makes BTF in which each tracepoint has its id. If `functions` is true, each function has its id,
/// too.
///
/// Functions have the highest ids, so they determine the size of the result.
pub(super) fn of(points: &AttachPoints, functions: bool) -> Result<Btf, BtfError> {
    let points: Vec<_> = points
        .iter()
        .filter(|(point, _)| functions || matches!(point, AttachPoint::Tracepoint(_)))
        .collect();
    let last = points.iter().map(|(_, id)| *id).max().unwrap_or(0);
    let nameless = [0, u32::from(kind::PTR) << 24, 0];
    // Ids begin with 1; 0 is `void`.
    let mut types = nameless.repeat(last as usize);
    let mut strings = vec![0];
    for (point, id) in points {
        let (kind, name) = match point {
            AttachPoint::Tracepoint(name) => (kind::TYPEDEF, format!("btf_trace_{name}")),
            AttachPoint::Function(name) => (kind::FUNC, name.to_owned()),
        };
        let place = (id as usize).saturating_sub(1);
        if let Some([name_offset, info, _]) = types.chunks_exact_mut(TYPE).nth(place) {
            *name_offset = strings.len() as u32;
            *info = u32::from(kind) << 24;
        }
        strings.extend_from_slice(name.as_bytes());
        strings.push(0);
    }
    let types_len = size_of_val(&*types) as u32;
    let magic_version_flags = u32::from(MAGIC) | 1 << 16;
    let header = [
        magic_version_flags,
        HEADER,
        0,
        types_len,
        types_len,
        strings.len() as u32,
    ];
    let mut bytes = Vec::with_capacity(HEADER as usize + types_len as usize + strings.len());
    for word in header.iter().chain(&types) {
        bytes.extend_from_slice(&word.to_ne_bytes());
    }
    drop(types);
    bytes.extend_from_slice(&strings);
    Btf::parse(&bytes, Endianness::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    use aya_obj::btf::BtfKind;
    use exectrail_preflight::{Options, run};

    #[test]
    fn names_have_the_ids_that_the_whole_btf_gives_them() {
        let report = run(&Options::default());
        let Some(kernel) = report.kernel() else {
            panic!("preflight refuses this kernel: {report:?}");
        };
        let whole = Btf::from_sys_fs().unwrap();
        let small = of(&kernel.attach_points, true).unwrap();
        let mut compared = 0;
        for (point, _) in kernel.attach_points.iter() {
            let (name, kind) = match point {
                AttachPoint::Tracepoint(name) => (format!("btf_trace_{name}"), BtfKind::Typedef),
                AttachPoint::Function(name) => (name.to_owned(), BtfKind::Func),
            };
            let id = |btf: &Btf| btf.id_by_type_name_kind(&name, kind).unwrap();
            assert_eq!(id(&small), id(&whole), "{name}");
            compared += 1;
        }
        assert!(compared >= 4, "only {compared} attach points");
    }
}
