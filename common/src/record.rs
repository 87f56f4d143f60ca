//! The records that the probes write to the ring. Each event has one record; a long argv continues
//! in further records.
//!
//! A record has a fixed head and then variable parts. [`Prefix::kind`] gives the type of the head.
//! The head has the lengths of the parts, except of the filename on the stack ([`FLAG_TAMPERED`]):
//! this part ends with the record. Numbers are in native byte order, because writer and reader run
//! on the same machine.

use bytemuck::{Pod, Zeroable};

/// [`Prefix::kind`] of an [`Exec`].
pub const KIND_EXEC: u8 = 1;
/// [`Prefix::kind`] of an [`ArgvPiece`].
pub const KIND_ARGV_PIECE: u8 = 2;
/// [`Prefix::kind`] of an [`Exit`].
pub const KIND_EXIT: u8 = 4;

/// [`Prefix::kind`] of a [`FailedExec`].
pub const KIND_FAILED_EXEC: u8 = 5;
/// [`Prefix::kind`] of an [`NsFound`].
pub const KIND_NS_FOUND: u8 = 6;
/// [`Prefix::kind`] of a [`crate::cgroup_names::CgroupNames`].
pub const KIND_CGROUP_NAMES: u8 = 7;

/// Flag of an [`Exec`]: the file is run by an interpreter (`#!` or binfmt_misc), whose
/// name is `argv[0]`.
pub const FLAG_INTERPRETED: u16 = 1 << 0;
/// Flag of an [`Exec`]: more of argv follows in [`ArgvPiece`]s.
pub const FLAG_CONTINUED: u16 = 1 << 1;
/// Flag of an [`Exec`], [`ArgvPiece`] or [`FailedExec`]: a part of argv could not be read.
pub const FLAG_ARGV_FAULT: u16 = 1 << 2;
/// Flag of an [`Exec`] or [`FailedExec`]: the filename could not be read.
pub const FLAG_FILENAME_FAULT: u16 = 1 << 3;
/// Flag of an [`Exec`]: `comm` before the exec is unknown.
pub const FLAG_COMM_UNKNOWN: u16 = 1 << 4;
/// Flag of an [`Exec`] or [`FailedExec`]: `ns_uid` or `ns_gid` is unknown, because the user
/// namespace maps ids in more extents than the probe reads.
pub const FLAG_IDS_UNMAPPED: u16 = 1 << 5;
/// Flag of a [`FailedExec`]: the end of argv is missing.
pub const FLAG_ARGV_CUT: u16 = 1 << 6;
/// Flag of an [`ArgvPiece`]: the last one of its exec.
pub const FLAG_LAST_PIECE: u16 = 1 << 7;

/// Flag of an [`Exec`] or [`FailedExec`]: the filename is longer than [`MAX_FILENAME`] and was cut.
pub const FLAG_FILENAME_CUT: u16 = 1 << 8;
/// Flag of an [`Exec`]: a process wrote to the new stack before the new program's first
/// instruction.
///
/// There are two signs of such a write:
/// - The strings of argv and of the environment do not end where the kernel put the filename.
/// - The filename on the stack differs from the kernel's
///   ([`crate::probe_config::FIELD_STACK_FILENAME`]). The filename on the stack is then the last
///   part of the record, after argv.
pub const FLAG_TAMPERED: u16 = 1 << 9;
/// Flag of an [`Exec`] or [`FailedExec`]: the cgroup is unknown, and [`Subject::cgroup_id`] has no
/// meaning.
pub const FLAG_CGROUP_UNKNOWN: u16 = 1 << 10;

/// Flag of an [`Exec`] or [`FailedExec`]: the process has `no_new_privs` (prctl(2)): no exec gives
/// it privileges.
pub const FLAG_NO_NEW_PRIVS: u16 = 1 << 11;

/// Flag of a path ([`Origin::exe_flags`], [`Origin::cwd_flags`]): reading ended at [`MAX_NAMES`] or
/// [`MAX_PATH`], so names at the path's beginning may be missing.
pub const PATH_CUT: u16 = 1 << 0;
/// Flag of a path: the path does not begin at the root of the process. The file is outside that
/// root, its mount is detached, or a directory of the path was moved out of the mounted part.
pub const PATH_UNREACHABLE: u16 = 1 << 1;
/// Flag of a path: the file or directory was deleted, or the file was made without a name
/// (`O_TMPFILE`).
pub const PATH_DELETED: u16 = 1 << 2;
/// Flag of a path: the file is in no directory, such as a file of memfd_create(2). The path is the
/// name that the kernel gave the file.
pub const PATH_OUTSIDE_DIRECTORIES: u16 = 1 << 3;
/// Flag of a path: it was read.
pub const PATH_READ: u16 = 1 << 4;
/// Flag of [`Origin::exe_flags`]: the file is in the upper layer of an overlay.
pub const EXE_UPPER_LAYER: u16 = 1 << 5;

/// Maximum number of names and mounts in a path.
pub const MAX_NAMES: usize = 40;
/// Once a path has more bytes than this, with a NUL for each name, no further name is read. So a
/// path can exceed this by the length of one name, 256 bytes. The memory for a record
/// (`map_memory.rs`) includes two paths.
pub const MAX_PATH: usize = 1024;

/// Maximum bytes of argv in the [`Exec`] record itself; the memory of the maps (`map_memory.rs`)
/// depends on it.
pub const HEAD_ARGV: usize = 2048;
/// Maximum bytes of argv in one [`ArgvPiece`].
pub const PIECE_ARGV: usize = 8192;
/// Maximum bytes of argv in a [`FailedExec`] record.
pub const FAILED_ARGV: usize = 1024;
/// Longest filename with its NUL: a path of `PATH_MAX` (include/uapi/linux/limits.h) after the
/// `/dev/fd/NUMBER/` that `execveat` adds (`alloc_bprm`, fs/exec.c), rounded up.
pub const MAX_FILENAME: usize = 4096 + 32;
/// Maximum bytes that are copied from the new stack, while the kernel prevents other processes from
/// writing there (`exec_update_lock`). They are the stack's lowest bytes, where argv begins. If a
/// page is larger than this number, argv is near the upper end of its page. In this case the
/// stack's highest bytes are copied.
pub const EARLY_BYTES: usize = 6144;
/// Maximum of `--max-argv-bytes` (declared in `preflight/src/sizes.rs`). The kernel's own limit for
/// argv is a quarter of the stack limit, at most 6 MiB (`bprm_stack_limits`, fs/exec.c).
pub const MAX_ARGV: u32 = 6 * 1024 * 1024;
/// Length of a `comm`, its NUL included (`TASK_COMM_LEN`, include/linux/sched.h).
pub const COMM_LEN: usize = 16;

/// The beginning of every record. In an [`NsFound`] and in a
/// [`crate::cgroup_names::CgroupNames`] all fields but the kind are 0.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Prefix {
    /// The lane that wrote the record, see [`crate::counters::LANES`]; 0 for a failed exec.
    pub lane: u8,
    /// One of the `KIND_…` constants.
    pub kind: u8,
    /// A set of `FLAG_…` bits.
    pub flags: u16,
    /// The CPU that wrote the record.
    pub cpu: u16,
    /// Bytes of filename that follow the head of an [`Exec`] or a [`FailedExec`], without a NUL;
    /// zero otherwise.
    pub filename_len: u16,
    /// Number of the exec on its CPU and in its lane, from 0, without gaps if nothing is lost.
    ///
    /// Exits are numbered separately, and failed execs separately for each system call. An
    /// [`ArgvPiece`] has the number of its exec.
    pub seq: u64,
}

/// The process and the time of an exec or a failed exec.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Subject {
    /// Time, boot clock, nanoseconds.
    pub ktime: u64,
    /// Start time of the process, boot clock, nanoseconds; it identifies the process together with
    /// `tgid`.
    pub start: u64,
    /// Start time of the parent process, boot clock, nanoseconds; 0 if unknown. It identifies the
    /// parent together with `ppid`.
    pub ppid_start: u64,
    /// Id of the cgroup, in cgroup v2 or a v1 hierarchy.
    pub cgroup_id: u64,
    /// Process id in the init PID namespace.
    pub tgid: u32,
    /// Process id in the PID namespace of the process; 0 if unknown.
    pub ns_tgid: u32,
    /// Parent's process id in the init PID namespace.
    pub ppid: u32,
    /// Parent's process id in the PID namespace of the process; 0 for a parent outside it.
    pub ns_ppid: u32,
    /// Real user id in the init user namespace.
    pub uid: u32,
    /// Real group id in the init user namespace.
    pub gid: u32,
    /// Effective user id in the init user namespace. A successful exec has already changed it, if
    /// the file is set-user-ID.
    pub euid: u32,
    /// Effective group id in the init user namespace. A successful exec has already changed it, if
    /// the file is set-group-ID.
    pub egid: u32,
    /// Id of the session (setsid(2)) in the init PID namespace.
    pub sid: u32,
    /// Real user id in the user namespace of the process.
    pub ns_uid: u32,
    /// Real group id in the user namespace of the process.
    pub ns_gid: u32,
    /// Inode number of the PID namespace of the process.
    pub pid_ns: u32,
    /// Inode number of the mount namespace of the process.
    pub mnt_ns: u32,
    /// Inode number of the target: `pid_ns` or a namespace above it.
    pub target: u32,
}

/// The file that runs, the working directory, the terminal, the capabilities that the exec added,
/// and the numbers of execs.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Origin {
    /// Inode number of the file that runs: for a script, of its interpreter.
    pub exe_ino: u64,
    /// The permitted capabilities that this exec added: one bit for each, by number.
    pub cap_gained: u64,
    /// Device of the file's file system, as the kernel numbers it: the major number above 20 bits
    /// of the minor number.
    pub exe_dev: u32,
    /// Number of hard links of the file.
    pub exe_nlink: u32,
    /// Device number of the controlling terminal, in the form of `exe_dev`; 0 if there is none.
    pub tty: u32,
    /// Number of execs of the process so far, including this one, and of its ancestors before they
    /// forked (`self_exec_id`).
    pub execs: u32,
    /// The same count for the parent.
    pub parent_execs: u32,
    /// A set of `PATH_…` and `EXE_…` bits.
    pub exe_flags: u16,
    /// A set of `PATH_…` bits.
    pub cwd_flags: u16,
    /// Bytes of the names of `exe`.
    pub exe_len: u16,
    /// Bytes of the names of `cwd`.
    pub cwd_len: u16,
    /// Always zero: keeps the struct free of padding.
    pub zero: u32,
}

/// Head of the record of one successful exec. These parts follow, in this order:
/// 1. the names of `exe`;
/// 2. the names of `cwd`;
/// 3. the filename;
/// 4. argv;
/// 5. the filename on the stack, if it differs from the kernel's ([`FLAG_TAMPERED`]).
///
/// The names of a path are written from the last to the first, each followed by a NUL.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Exec {
    /// Kind [`KIND_EXEC`].
    pub prefix: Prefix,
    /// The process that executed the file.
    pub subject: Subject,
    /// Number of arguments.
    pub argc: u32,
    /// Full length of argv in bytes, with the NUL of each argument.
    pub argv_len: u32,
    /// Number of bytes at the beginning of argv that were read while no other process could write
    /// to them. The later bytes were read at the exec; before that, a tracer of the process could
    /// have changed them.
    pub argv_early: u32,
    /// Bytes of argv in this record.
    pub argv_head: u32,
    /// The file that runs, the working directory, and other properties.
    pub origin: Origin,
    /// `comm` of the process before the exec.
    pub comm: [u8; COMM_LEN],
}

/// Head of a piece of a long argv. The bytes follow, to the end of the record.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct ArgvPiece {
    /// Kind [`KIND_ARGV_PIECE`].
    pub prefix: Prefix,
    /// Offset of the bytes in argv.
    pub offset: u32,
    /// Number of bytes; with [`FLAG_ARGV_FAULT`], number of missing bytes.
    pub len: u32,
}

/// Record of the exit of the last thread of a target's process.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Exit {
    /// Kind [`KIND_EXIT`].
    pub prefix: Prefix,
    /// Time, boot clock, nanoseconds.
    pub ktime: u64,
    /// Start time of the process, boot clock, nanoseconds; as in its [`Exec`].
    pub start: u64,
    /// Process id in the init PID namespace.
    pub tgid: u32,
    /// Process id in the PID namespace of the process; 0 if unknown.
    pub ns_tgid: u32,
    /// Status in bits 8 to 15, signal in bits 0 to 6, core dumped in bit 7, as in wait(2).
    pub exit_code: u32,
    /// Inode number of the PID namespace of the process.
    pub pid_ns: u32,
    /// Inode number of the target: `pid_ns` or a namespace above it.
    pub target: u32,
    /// Always zero: keeps the struct free of padding.
    pub zero: u32,
    /// `comm` of the last thread.
    pub comm: [u8; COMM_LEN],
}

/// Head of the record of an exec that failed. The filename and then argv follow.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct FailedExec {
    /// Kind [`KIND_FAILED_EXEC`]. Sequence numbers are per CPU and system call.
    pub prefix: Prefix,
    /// The calling process.
    pub subject: Subject,
    /// The error number that the call returns, as a positive number.
    pub errno: u32,
    /// The system call: an index of [`crate::exec_calls`].
    pub call: u32,
    /// Bytes of argv in this record. They were read when the call ended: another thread could have
    /// changed them during the call.
    pub argv_len: u32,
    /// Always zero: keeps the struct free of padding.
    pub zero: u32,
    /// `comm` of the calling thread.
    pub comm: [u8; COMM_LEN],
}

/// The record of a namespace that the probes made a target.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct NsFound {
    /// Kind [`KIND_NS_FOUND`].
    pub prefix: Prefix,
    /// The namespace.
    pub id: crate::target::NsId,
    /// Time, boot clock, nanoseconds.
    pub ktime: u64,
    /// Depth of the namespace; the init PID namespace has 0.
    pub level: u32,
    /// A set of [`crate::target::BY_NETWORK`] and [`crate::target::BY_CGROUP`].
    pub by: u32,
}
