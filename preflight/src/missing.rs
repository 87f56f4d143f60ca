//! What the probes need and the running kernel lacks.

/// A struct, field or tracepoint that the running kernel lacks, or a field whose form the probes
/// cannot read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Missing {
    /// No struct of that name.
    #[error("struct {strukt}: no such type")]
    Struct {
        /// Name of the struct.
        strukt: &'static str,
    },
    /// The struct has no such member.
    #[error("{strukt}.{member}: no such field")]
    Field {
        /// Name of the struct.
        strukt: &'static str,
        /// Dotted path of the member.
        member: &'static str,
    },
    /// The member exists but has another size.
    #[error("{strukt}.{member}: {found} bytes instead of {expected}")]
    Size {
        /// Name of the struct.
        strukt: &'static str,
        /// Dotted path of the member.
        member: &'static str,
        /// Its size in bytes.
        found: u64,
        /// The size in bytes that the probes read.
        expected: u64,
    },
    /// The member is a bit field, or does not begin at a whole byte, or its offset is too large.
    #[error("{strukt}.{member}: at bit {bits}: a bit field, or too far from the beginning")]
    Position {
        /// Name of the struct.
        strukt: &'static str,
        /// Dotted path of the member.
        member: &'static str,
        /// Its offset in bits.
        bits: u64,
    },
    /// No tracepoint of that name.
    #[error("tracepoint {name}: no such tracepoint")]
    Tracepoint {
        /// Name of the tracepoint.
        name: &'static str,
    },
}
