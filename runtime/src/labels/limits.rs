//! How much of a label file is read, and taken.

/// Maximum size of a label file, bytes. The annotations of a pod have at most 256 KiB
/// (`TotalAnnotationSizeLimitB`, apimachinery/pkg/api/validation of Kubernetes 1.33). An escape in
/// the file turns one byte into at most four.
pub(super) const MAX_FILE: u64 = 1024 * 1024;

/// Maximum size of the labels that are taken from a file, bytes.
pub(super) const MAX_TAKEN: usize = 32 * 1024;

/// Bytes of a line that are kept. An escape turns one byte into at most four, and a key has at most
/// 317 bytes. So a longer line has a value of more than [`MAX_TAKEN`] bytes.
pub(super) const MAX_LINE: u64 = 4 * MAX_TAKEN as u64 + 1024;
