//! Constants of the format, and limits of the reader.

/// `BTF_MAGIC`.
pub const MAGIC: u16 = 0xeb9f;

/// Maximum depth of modifiers (`const`, typedefs…) and of nested structs; kernels have less.
pub(super) const MAX_DEPTH: u32 = 32;
/// Maximum number of members and records visited by all look-ups together. A kernel needs 60,000.
pub(super) const MAX_STEPS: u32 = 8_000_000;
