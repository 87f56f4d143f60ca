//! Errors of reading BTF, and the limits that two of the errors report.

/// `BTF_MAGIC`.
pub const MAGIC: u16 = 0xeb9f;

/// Maximum depth of modifiers (`const`, typedefs…) and of nested structs; the types of kernels are
/// less deep.
pub(super) const MAX_DEPTH: u32 = 32;
/// Maximum number of members and records that all look-ups together may visit. For a kernel they
/// visit about 60,000.
pub(super) const MAX_STEPS: u32 = 8_000_000;

/// Why bytes could not be read as BTF.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BtfError {
    /// Fewer bytes than a header has.
    #[error("{len} bytes are too few for a BTF header")]
    TooShort {
        /// Number of bytes.
        len: usize,
    },
    /// A header that gives an impossible length for itself.
    #[error("the BTF header says that it has {header} bytes, and the file has {len}")]
    HeaderLength {
        /// The length in the header.
        header: u32,
        /// Number of bytes.
        len: usize,
    },
    /// The bytes are not BTF.
    #[error("not BTF: it begins with {magic:#06x} instead of {MAGIC:#06x}")]
    Magic {
        /// The first two bytes.
        magic: u16,
    },
    /// BTF of a machine of the other byte order.
    #[error("BTF of the other byte order")]
    ByteOrder,
    /// A version of the format that is not 1.
    #[error("BTF version {version}; only version 1 is known")]
    Version {
        /// The version in the header.
        version: u8,
    },
    /// The header places a section outside the bytes.
    #[error("the {section} section (offset {offset}, length {len}) lies outside the file")]
    Section {
        /// Which section: `type`, `string` or `layout`.
        section: &'static str,
        /// Its offset, in bytes from the end of the header.
        offset: u32,
        /// Its length in bytes.
        len: u32,
    },
    /// A record extends past the end of the type section.
    #[error("type {id} runs past the end of the type section")]
    Truncated {
        /// Id of the type.
        id: u32,
    },
    /// A kind that neither this reader nor the file's own layout section describes.
    #[error("type {id} is of kind {kind}, which this version of exectrail does not know")]
    UnknownKind {
        /// Id of the type.
        id: u32,
        /// The kind (`BTF_KIND_…`).
        kind: u8,
    },
    /// A name that is not in the string section.
    #[error("the name at offset {offset} lies outside the string section")]
    Name {
        /// Offset into the string section.
        offset: u32,
    },
    /// A reference to a type that does not exist.
    #[error("a type refers to type {id}, but the last one is {last}")]
    TypeId {
        /// The id referred to.
        id: u32,
        /// Id of the last type.
        last: u32,
    },
    /// Types that contain or rename one another in a cycle, or too deeply.
    #[error("types are nested more than {MAX_DEPTH} deep at type {id}")]
    TooDeep {
        /// Id of the type at which counting stopped.
        id: u32,
    },
    /// The look-ups took more steps than they take in any kernel's types.
    #[error("looking types up took more than {MAX_STEPS} steps")]
    TooComplex,
}
