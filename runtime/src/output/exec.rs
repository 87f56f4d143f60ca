//! An exec that succeeded, as an event.

use std::fmt;

use exectrail_common::record::{
    COMM_LEN, Exec, FLAG_CGROUP_UNKNOWN, FLAG_COMM_UNKNOWN, FLAG_FILENAME_CUT, FLAG_FILENAME_FAULT,
    FLAG_IDS_UNMAPPED, FLAG_INTERPRETED, FLAG_TAMPERED, PATH_OUTSIDE_DIRECTORIES,
};

use super::quote::quoted;
use crate::event::{container::Containers, decode::arguments};

/// A note that the new stack was written to, with the filename on that stack. The filename is empty
/// if it was not compared or is unchanged.
pub(super) struct Tampered<'a>(pub(super) &'a [u8]);

impl fmt::Display for Tampered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            f.write_str("TAMPERED: a process wrote to the new stack")
        } else {
            let filename = quoted(self.0);
            write!(f, "TAMPERED: the new stack has {filename} as the filename")
        }
    }
}

/// An exec, with the part of its argv that was received.
#[derive(Clone, Copy, Debug)]
pub struct ExecEvent<'a> {
    /// The fixed part of the record.
    pub head: &'a Exec,
    /// Arguments, each followed by a NUL.
    pub argv: &'a [u8],
    /// The filename that the caller gave: the kernel's own copy.
    pub filename: &'a [u8],
    /// The filename on the new stack, if it differs from `filename`; otherwise empty.
    pub stack_filename: &'a [u8],
    /// The path of the file that runs: for a script, of its interpreter. `None` if unknown.
    pub exe: Option<&'a [u8]>,
    /// The path of the working directory, if it was read.
    pub cwd: Option<&'a [u8]>,
    /// The parent's program, if it is known.
    pub parent: Option<Parent<'a>>,
    /// The containers that the process is in, if they are known.
    pub containers: Option<Containers>,
}

/// The program that a parent runs.
#[derive(Clone, Copy, Debug)]
pub struct Parent<'a> {
    /// The path of its file, like [`ExecEvent::exe`].
    pub exe: Option<&'a [u8]>,
    /// The parent's arguments, each followed by a NUL.
    pub argv: &'a [u8],
    /// Whether a part of the parent's argv is missing.
    pub argv_truncated: bool,
}

impl<'a> ExecEvent<'a> {
    /// Whether a part of argv is missing.
    pub fn truncated(&self) -> bool {
        self.argv.len() != self.head.argv_len as usize
    }

    /// Whether the end of the filename is missing.
    pub fn filename_truncated(&self) -> bool {
        self.has(FLAG_FILENAME_CUT | FLAG_FILENAME_FAULT)
    }

    /// Whether a process wrote to the new program's stack before its first instruction. `arguments`
    /// is the number of [`Self::arguments`], which the writer of the line has counted.
    ///
    /// The kernel counts the arguments before another process can write to the stack. Afterwards,
    /// it adds up the lengths of the arguments on the stack. If all of argv was read early and does
    /// not have the counted number of arguments, the stack was changed.
    pub fn tampered(&self, arguments: usize) -> bool {
        let all_early = self.head.argv_early == self.head.argv_len && !self.truncated();
        let fits =
            arguments == self.head.argc as usize && self.argv.last().is_none_or(|last| *last == 0);
        self.has(FLAG_TAMPERED) || all_early && !fits
    }

    /// Offset in argv of the part that was read late, when other processes may have been able to
    /// change it. `None` if all of argv was read early.
    pub fn unprotected_from(&self) -> Option<u32> {
        let kept = u32::try_from(self.argv.len()).unwrap_or(u32::MAX);
        (self.head.argv_early < kept).then_some(self.head.argv_early)
    }

    /// Whether the file that runs is a memfd (memfd_create(2)). A memfd is a file on tmpfs or
    /// hugetlbfs that was never in a directory. Its name begins with `memfd:`.
    pub(super) fn memfd(&self) -> bool {
        let memfd = self.exe.is_some_and(|exe| exe.starts_with(b"memfd:"));
        self.head.origin.exe_flags & PATH_OUTSIDE_DIRECTORIES != 0 && memfd
    }

    /// The cgroup's id.
    pub(super) fn cgroup_id(&self) -> Option<u64> {
        (!self.has(FLAG_CGROUP_UNKNOWN)).then_some(self.head.subject.cgroup_id)
    }

    /// The arguments that were received; the last one may be cut if [`Self::truncated`].
    pub fn arguments(&self) -> impl Iterator<Item = &'a [u8]> + Clone {
        arguments(self.argv)
    }

    /// The caller's comm; empty if it was not recorded.
    pub fn comm(&self) -> &'a [u8] {
        comm(&self.head.comm)
    }

    /// The interpreter that runs the file, if there is one: the kernel put its name into `argv[0]`
    /// (fs/binfmt_script.c, fs/binfmt_misc.c).
    pub fn interpreter(&self) -> Option<&'a [u8]> {
        self.has(FLAG_INTERPRETED)
            .then(|| self.arguments().next().unwrap_or_default())
    }

    /// User and group id in the process's user namespace.
    pub(super) fn ns_ids(&self) -> Option<(u32, u32)> {
        (!self.has(FLAG_IDS_UNMAPPED))
            .then_some((self.head.subject.ns_uid, self.head.subject.ns_gid))
    }

    /// Whether the comm was recorded.
    pub(super) fn comm_known(&self) -> bool {
        !self.has(FLAG_COMM_UNKNOWN)
    }

    pub(super) fn has(&self, flag: u16) -> bool {
        self.head.prefix.flags & flag != 0
    }
}

/// A comm up to its NUL: kernels such as Linux 5.10 leave bytes of an older, longer comm after it.
pub(super) fn comm(field: &[u8; COMM_LEN]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}
