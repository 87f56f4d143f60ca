//! Types in BTF.

/// Kinds of type whose length this reader knows (`BTF_KIND_…`). It skips a newer kind if the BTF
/// gives the length.
pub mod kind {
    #![allow(missing_docs, reason = "the names are the kernel's")]
    pub const INT: u8 = 1;
    pub const PTR: u8 = 2;
    pub const ARRAY: u8 = 3;
    pub const STRUCT: u8 = 4;
    pub const UNION: u8 = 5;
    pub const ENUM: u8 = 6;
    pub const FWD: u8 = 7;
    pub const TYPEDEF: u8 = 8;
    pub const VOLATILE: u8 = 9;
    pub const CONST: u8 = 10;
    pub const RESTRICT: u8 = 11;
    pub const FUNC: u8 = 12;
    pub const FUNC_PROTO: u8 = 13;
    pub const VAR: u8 = 14;
    pub const DATASEC: u8 = 15;
    pub const FLOAT: u8 = 16;
    pub const DECL_TAG: u8 = 17;
    pub const TYPE_TAG: u8 = 18;
    pub const ENUM64: u8 = 19;
}

/// One record of the type section.
#[derive(Clone, Copy, Debug)]
pub struct Type<'a> {
    pub(super) name: u32,
    pub(super) info: u32,
    /// Size in bytes, or the id of another type; the kind determines which.
    pub size_or_type: u32,
    pub(super) body: &'a [u8],
}

impl Type<'_> {
    /// One of the constants in [`kind`], or a newer kind.
    ///
    /// Seven bits since Linux 7.2. Before, it has five bits, and the other two are zero.
    pub fn kind(&self) -> u8 {
        (self.info >> 24 & 0x7f) as u8
    }

    /// Number of members, parameters or enumerators: 24 bits since Linux 7.2, 16 before.
    pub(super) fn vlen(&self) -> usize {
        (self.info & 0x00ff_ffff) as usize
    }

    /// Whether the upper eight bits of member offsets are the size of a bit field.
    pub(super) fn kind_flag(&self) -> bool {
        self.info >> 31 == 1
    }
}

/// Position of a member in the outermost struct.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Offset in bits from the beginning of the struct.
    pub bits: u64,
    /// Width in bits of a bit field; 0 for other members.
    pub bit_field: u8,
    /// Id of the member's type.
    pub type_id: u32,
}
