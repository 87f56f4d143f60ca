//! Tests of the BTF reader with types written for them.

#![forbid(unsafe_code)]

mod support;

use std::time::{Duration, Instant};

use exectrail_preflight::btf::{Btf, BtfError, Member, kind};
use exectrail_preflight::{Missing, offsets};
use support::{KernelTypes, Writer, kernel_btf};

fn member(bits: u64, type_id: u32) -> Option<Member> {
    Some(Member {
        bits,
        bit_field: 0,
        type_id,
    })
}

#[test]
fn members_of_anonymous_structs_and_unions_are_found_with_their_offset() {
    let mut w = Writer::new();
    let int = w.int("int", 4);
    let inner = w.strukt("", 8, &[("a", int, 0), ("b", int, 32)]);
    let qualified = w.plain(kind::VOLATILE, "", inner);
    let choice = w.union("", 8, &[("c", int, 0), ("", qualified, 0)]);
    let named = w.strukt("inner", 4, &[("d", int, 0)]);
    let alias = w.plain(kind::TYPEDEF, "inner_t", named);
    let outer = w.strukt(
        "outer",
        64,
        &[("x", int, 0), ("", choice, 64), ("n", alias, 128)],
    );
    let bytes = w.finish();
    let mut seen = Vec::new();
    let btf = Btf::parse(&bytes, |kind, name, id| {
        seen.push((kind, name.to_vec(), id))
    })
    .unwrap();

    assert_eq!(btf.len(), 7);
    assert_eq!(
        seen,
        [
            (kind::STRUCT, b"inner".to_vec(), named),
            (kind::TYPEDEF, b"inner_t".to_vec(), alias),
            (kind::STRUCT, b"outer".to_vec(), outer),
        ]
    );
    assert_eq!(btf.member(outer, "x").unwrap(), member(0, int));
    assert_eq!(btf.member(outer, "c").unwrap(), member(64, int));
    assert_eq!(btf.member(outer, "b").unwrap(), member(96, int));
    assert_eq!(btf.member(outer, "n.d").unwrap(), member(128, int));
    for absent in ["d", "n.e", "x.y", "", ".", "n.", "x..", "inner"] {
        assert_eq!(btf.member(outer, absent).unwrap(), None, "{absent:?}");
    }
}

#[test]
fn bit_fields_are_told_apart_from_whole_fields() {
    let mut w = Writer::new();
    let int = w.int("int", 4);
    let members = [("whole", int, 32), ("part", int, 3 << 24 | 64)];
    let id = w.composite(kind::STRUCT, "s", 16, &members, true);
    let bytes = w.finish();
    let btf = Btf::parse(&bytes, |_, _, _| {}).unwrap();
    assert_eq!(btf.member(id, "whole").unwrap(), member(32, int));
    let part = Member {
        bits: 64,
        bit_field: 3,
        type_id: int,
    };
    assert_eq!(btf.member(id, "part").unwrap(), Some(part));
}

#[test]
fn sizes_go_through_arrays_and_names() {
    let mut w = Writer::new();
    let int = w.int("int", 4);
    let row = w.array(int, 5);
    let alias = w.plain(kind::TYPEDEF, "row_t", row);
    let table = w.array(alias, 7);
    let pointer = w.pointer();
    let function = w.plain(kind::FUNC, "f", 0);
    let endless = w.array(u32::MAX, 1);
    let mut bomb = int;
    for _ in 0..8 {
        bomb = w.array(bomb, u32::MAX);
    }
    let bytes = w.finish();
    let btf = Btf::parse(&bytes, |_, _, _| {}).unwrap();
    assert_eq!(btf.size_of(table).unwrap(), Some(140));
    assert_eq!(
        btf.size_of(pointer).unwrap(),
        Some(size_of::<usize>() as u64)
    );
    assert_eq!(btf.size_of(function).unwrap(), None);
    assert_eq!(btf.size_of(bomb).unwrap(), Some(u64::MAX));
    assert!(matches!(
        btf.size_of(endless),
        Err(BtfError::TypeId { id: u32::MAX, .. })
    ));
    assert!(matches!(
        btf.size_of(0),
        Err(BtfError::TypeId { id: 0, .. })
    ));
}

#[test]
fn types_that_contain_themselves_are_an_error() {
    let mut w = Writer::new();
    let circle = w.plain(kind::CONST, "", 2);
    w.plain(kind::TYPEDEF, "t", circle);
    let array = w.array(3, 2);
    let own = w.strukt("own", 8, &[("", 4, 0)]);
    let bytes = w.finish();
    let btf = Btf::parse(&bytes, |_, _, _| {}).unwrap();
    assert!(matches!(
        btf.unqualified(circle),
        Err(BtfError::TooDeep { .. })
    ));
    assert!(matches!(btf.size_of(array), Err(BtfError::TooDeep { .. })));
    assert!(matches!(
        btf.member(own, "x"),
        Err(BtfError::TooDeep { .. })
    ));
}

#[test]
fn types_that_multiply_are_an_error_and_soon() {
    // Thirty levels of structs: each has a thousand members of the type one level below.
    let mut w = Writer::new();
    let mut below = w.int("int", 4);
    for _ in 0..30 {
        below = w.strukt("", 8, &vec![("", below, 0); 1000]);
    }
    let top = w.strukt("task_struct", 8, &[("", below, 0)]);
    let bytes = w.finish();
    let start = Instant::now();
    let btf = Btf::parse(&bytes, |_, _, _| {}).unwrap();
    assert_eq!(btf.member(top, "mm"), Err(BtfError::TooComplex));
    assert_eq!(offsets::resolve(&bytes).unwrap_err(), BtfError::TooComplex);
    assert!(
        start.elapsed() < Duration::from_secs(20),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn new_kinds_are_skipped_where_the_file_gives_their_length() {
    let mut w = Writer::new();
    let int = w.int("int", 4);
    // Kind 21 with two elements of four bytes, after eight bytes of fixed data.
    let new = w.raw(&[0, 21 << 24 | 2, 0, 1, 2, 3, 4]);
    let after = w.strukt("after", 4, &[("a", int, 0)]);
    assert_eq!(
        Btf::parse(&w.finish(), |_, _, _| {}).unwrap_err(),
        BtfError::UnknownKind { id: new, kind: 21 }
    );
    w.layout(21, 8, 4);
    let bytes = w.finish();
    let btf = Btf::parse(&bytes, |_, _, _| {}).unwrap();
    assert_eq!(btf.member(after, "a").unwrap(), member(0, int));
}

#[test]
fn headers_that_lie_are_errors() {
    let good = kernel_btf(KernelTypes::default());
    let with = |at: usize, value: &[u8]| {
        let mut bytes = good.clone();
        bytes[at..at + value.len()].copy_from_slice(value);
        offsets::resolve(&bytes).unwrap_err()
    };
    let max = u32::MAX.to_ne_bytes();
    assert!(matches!(with(0, b"\x7fE"), BtfError::Magic { .. }));
    assert_eq!(with(0, &0x9feb_u16.to_ne_bytes()), BtfError::ByteOrder);
    assert_eq!(with(2, &[2]), BtfError::Version { version: 2 });
    assert!(matches!(with(4, &max), BtfError::HeaderLength { .. }));
    assert!(matches!(
        with(4, &[0; 4]),
        BtfError::HeaderLength { header: 0, .. }
    ));
    for at in [8, 12] {
        assert!(matches!(
            with(at, &max),
            BtfError::Section {
                section: "type",
                ..
            }
        ));
    }
    for at in [16, 20] {
        assert!(matches!(
            with(at, &max),
            BtfError::Section {
                section: "string",
                ..
            }
        ));
    }
    assert!(matches!(
        offsets::resolve(b""),
        Err(BtfError::TooShort { len: 0 })
    ));
}

#[test]
fn a_field_of_another_size_is_not_taken() {
    let mut w = Writer::new();
    let long = w.int("unsigned long", 8);
    w.strukt("upid", 16, &[("nr", long, 0)]);
    let resolved = offsets::resolve(&w.finish()).unwrap();
    let wanted = Missing::Size {
        strukt: "upid",
        member: "nr",
        found: 8,
        expected: 4,
    };
    assert!(resolved.missing.contains(&wanted), "{:?}", resolved.missing);
    assert!(
        resolved
            .missing
            .contains(&Missing::Struct { strukt: "cred" })
    );
    assert_eq!(resolved.offsets.upid_size, 16);
}
