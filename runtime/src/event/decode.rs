//! Decodes a ring record from the bytes that a program wrote.

use bytemuck::pod_read_unaligned;
use exectrail_common::{
    cgroup_names::{CGROUP_NAME, CgroupNames, NAMES},
    record::{
        ArgvPiece, Exec, Exit, FailedExec, KIND_ARGV_PIECE, KIND_CGROUP_NAMES, KIND_EXEC,
        KIND_EXIT, KIND_FAILED_EXEC, KIND_NS_FOUND, NsFound, Prefix,
    },
};

/// A decoded record.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Record<'a> {
    /// A successful exec.
    Exec(ExecRecord<'a>),
    /// A further piece of the argv of an earlier exec.
    ArgvPiece(PieceRecord<'a>),
    /// A process has exited.
    Exit(Exit),
    /// An exec failed.
    FailedExec(FailedExecRecord<'a>),
    /// The probes found a target.
    NsFound(NsFound),
    /// The names of a cgroup, and of those above it.
    CgroupNames(CgroupNamesRecord<'a>),
}

/// The names of a cgroup.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CgroupNamesRecord<'a> {
    /// The fixed part.
    pub head: CgroupNames,
    /// [`NAMES`] names, each in [`CGROUP_NAME`] bytes.
    pub names: &'a [u8],
}

/// The first record of an exec.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ExecRecord<'a> {
    /// The fixed part.
    pub head: Exec,
    /// The names in the path of the file that runs, from the last to the first, each with a NUL.
    pub exe: &'a [u8],
    /// The names of the working directory's path, in the same form.
    pub cwd: &'a [u8],
    /// The filename that the caller gave: the kernel's own copy.
    pub filename: &'a [u8],
    /// The beginning of argv: arguments, each followed by a NUL.
    pub argv: &'a [u8],
    /// The filename on the new stack, if it differs from `filename`
    /// ([`exectrail_common::record::FLAG_TAMPERED`]); otherwise empty.
    pub stack_filename: &'a [u8],
}

/// An exec that failed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FailedExecRecord<'a> {
    /// The fixed part.
    pub head: FailedExec,
    /// The filename that the caller gave.
    pub filename: &'a [u8],
    /// The beginning of argv: arguments, each followed by a NUL.
    pub argv: &'a [u8],
}

/// A piece of a long argv.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PieceRecord<'a> {
    /// The fixed part.
    pub head: ArgvPiece,
    /// The bytes.
    pub argv: &'a [u8],
}

/// A record that does not follow the layout: user space and probes are of different builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Shorter than its fixed part.
    #[error("a record of kind {kind} has {len} bytes, fewer than its fixed part of {need}")]
    Short {
        /// The kind; 0 if the record is shorter than a [`Prefix`].
        kind: u8,
        /// Bytes in the record.
        len: usize,
        /// Bytes of the fixed part.
        need: usize,
    },
    /// Unknown kind.
    #[error("a record has the unknown kind {kind}")]
    Kind {
        /// The kind found.
        kind: u8,
    },
    /// The lengths in the fixed part do not fit the record.
    #[error("a record of kind {kind} names {named} variable bytes but has {len}")]
    Lengths {
        /// The kind.
        kind: u8,
        /// Variable bytes according to the fixed part.
        named: usize,
        /// Variable bytes in the record.
        len: usize,
    },
}

/// Decodes the fixed part as `T`; returns it with the rest of the bytes.
fn head<T: bytemuck::AnyBitPattern>(kind: u8, bytes: &[u8]) -> Result<(T, &[u8]), DecodeError> {
    let need = size_of::<T>();
    match bytes.split_at_checked(need) {
        Some((fixed, rest)) => Ok((pod_read_unaligned(fixed), rest)),
        None => Err(DecodeError::Short {
            kind,
            len: bytes.len(),
            need,
        }),
    }
}

/// Decodes one record.
///
/// # Errors
/// [`DecodeError`] if the bytes are not a record. Never panics.
pub(crate) fn decode(bytes: &[u8]) -> Result<Record<'_>, DecodeError> {
    let (prefix, _) = head::<Prefix>(0, bytes)?;
    let kind = prefix.kind;
    match kind {
        KIND_EXEC => {
            let (head, rest) = head::<Exec>(kind, bytes)?;
            let (exe_len, cwd_len) = (
                usize::from(head.origin.exe_len),
                usize::from(head.origin.cwd_len),
            );
            let filename_len = usize::from(prefix.filename_len);
            let argv_len = head.argv_head as usize;
            let lengths = DecodeError::Lengths {
                kind,
                named: (exe_len + cwd_len + filename_len).saturating_add(argv_len),
                len: rest.len(),
            };
            let (exe, rest) = rest.split_at_checked(exe_len).ok_or(lengths)?;
            let (cwd, rest) = rest.split_at_checked(cwd_len).ok_or(lengths)?;
            let (filename, rest) = rest.split_at_checked(filename_len).ok_or(lengths)?;
            let (argv, stack_filename) = rest.split_at_checked(argv_len).ok_or(lengths)?;
            Ok(Record::Exec(ExecRecord {
                head,
                exe,
                cwd,
                filename,
                argv,
                stack_filename,
            }))
        }
        KIND_ARGV_PIECE => {
            let (head, argv) = head::<ArgvPiece>(kind, bytes)?;
            if head.len as usize != argv.len() {
                return Err(DecodeError::Lengths {
                    kind,
                    named: head.len as usize,
                    len: argv.len(),
                });
            }
            Ok(Record::ArgvPiece(PieceRecord { head, argv }))
        }
        KIND_FAILED_EXEC => {
            let (head, rest) = head::<FailedExec>(kind, bytes)?;
            let filename_len = usize::from(prefix.filename_len);
            let named = filename_len.saturating_add(head.argv_len as usize);
            match rest.split_at_checked(filename_len) {
                Some((filename, argv)) if named == rest.len() => {
                    Ok(Record::FailedExec(FailedExecRecord {
                        head,
                        filename,
                        argv,
                    }))
                }
                _ => Err(DecodeError::Lengths {
                    kind,
                    named,
                    len: rest.len(),
                }),
            }
        }
        KIND_EXIT => Ok(Record::Exit(head::<Exit>(kind, bytes)?.0)),
        KIND_NS_FOUND => Ok(Record::NsFound(head::<NsFound>(kind, bytes)?.0)),
        KIND_CGROUP_NAMES => {
            let (head, names) = head::<CgroupNames>(kind, bytes)?;
            let named = NAMES * CGROUP_NAME;
            if names.len() != named {
                let len = names.len();
                return Err(DecodeError::Lengths { kind, named, len });
            }
            Ok(Record::CgroupNames(CgroupNamesRecord { head, names }))
        }
        kind => Err(DecodeError::Kind { kind }),
    }
}

/// The arguments in `argv` bytes: the text before each NUL, and any text after the last NUL.
pub(crate) fn arguments(argv: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    let whole = argv.strip_suffix(&[0]).unwrap_or(argv);
    // An empty `argv` has no argument; a single NUL is one empty argument.
    let none = argv.is_empty();
    whole
        .split(|byte| *byte == 0)
        .take(if none { 0 } else { usize::MAX })
}

#[cfg(test)]
mod tests {
    use bytemuck::bytes_of;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn empty_arguments_are_kept() {
        let split = |bytes: &'static [u8]| arguments(bytes).collect::<Vec<_>>();
        assert_eq!(split(b""), Vec::<&[u8]>::new());
        assert_eq!(split(b"\0"), [b""]);
        assert_eq!(split(b"\0\0"), [b"", b""]);
        assert_eq!(split(b"a\0\0b\0"), [&b"a"[..], b"", b"b"]);
        assert_eq!(split(b"a\0cut"), [&b"a"[..], b"cut"]);
    }

    #[test]
    fn lengths_that_do_not_fit_are_refused() {
        let mut exec = Exec::default();
        exec.prefix.kind = KIND_EXEC;
        exec.prefix.filename_len = 5;
        let mut bytes = bytes_of(&exec).to_vec();
        bytes.extend(b"four");
        assert_eq!(
            decode(&bytes),
            Err(DecodeError::Lengths {
                kind: KIND_EXEC,
                named: 5,
                len: 4
            })
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode(&bytes);
        }

        #[test]
        fn no_record_like_bytes_make_it_panic(
            kind in 0u8..9,
            rest in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let mut bytes = vec![0, kind];
            bytes.extend(rest);
            let _ = decode(&bytes);
        }

        #[test]
        fn argv_splits_back(
            args in prop::collection::vec(prop::collection::vec(1u8.., 0..20), 0..20),
        ) {
            let terminated = |arg: &Vec<u8>| arg.iter().copied().chain([0]).collect::<Vec<_>>();
            let bytes: Vec<u8> = args.iter().flat_map(terminated).collect();
            prop_assert_eq!(arguments(&bytes).collect::<Vec<_>>(), args);
        }
    }
}
