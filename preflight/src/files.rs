//! Reads evidence: whole files, up to a size limit.
//!
//! Flags can name any directories as roots. So a "file" may be a pipe that blocks, a device without
//! an end, or a damaged copy. Container runtimes hide files by mounting `/dev/null` over them.

use std::ffi::OsStr;
use std::fs::{File, FileType, OpenOptions};
use std::io::{self, Read};
use std::ops::Deref;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use memmap2::{Mmap, MmapOptions};
use procfs_core::{FromBufRead as _, ProcessCGroup, ProcessCGroups};
use rustix::fs::statfs;

/// Maximum size of a text file of procfs or sysfs.
pub(crate) const TEXT: u64 = 1 << 20;

/// Why a file could not be read whole.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("no such file")]
    Missing,
    #[error("{0} instead of a file: hidden by the container runtime?")]
    NotAFile(&'static str),
    #[error("longer than {limit} bytes")]
    TooLong { limit: u64 },
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Opens a regular file. Other files are refused before they are opened: opening can have effects.
pub(crate) fn open(path: &Path) -> Result<File, ReadError> {
    let of_kind = |kind: FileType| match kind {
        kind if kind.is_file() => Ok(()),
        kind if kind.is_dir() => Err(ReadError::NotAFile("a directory")),
        kind if kind.is_fifo() => Err(ReadError::NotAFile("a pipe")),
        kind if kind.is_socket() => Err(ReadError::NotAFile("a socket")),
        _ => Err(ReadError::NotAFile("a device")),
    };
    let missing = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => ReadError::Missing,
        _ => ReadError::Io(error),
    };
    of_kind(path.metadata().map_err(missing)?.file_type())?;
    // If a pipe has replaced the file since, O_NONBLOCK keeps open(2) from waiting.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)
        .map_err(missing)?;
    of_kind(file.metadata()?.file_type())?;
    Ok(file)
}

/// Reads a regular file of at most `limit` bytes.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Vec<u8>, ReadError> {
    let file = open(path)?;
    // procfs gives a length of 0. sysfs gives the true length for BTF, and a page for text.
    let len = file.metadata()?.len();
    if len > limit {
        return Err(ReadError::TooLong { limit });
    }
    read_all(file, limit, len as usize)
}

/// The bytes of a file.
pub(crate) enum Bytes {
    /// The kernel's own memory.
    Mapped(Mmap),
    /// A copy of the bytes.
    Read(Vec<u8>),
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Read(bytes) => bytes,
        }
    }
}

/// The BTF of the running kernel. More than `limit` bytes are an error.
///
/// From Linux 6.16 on, a process can map the file, privately and read-only
/// (`btf_sysfs_vmlinux_mmap`, kernel/bpf/sysfs_btf.c). Before, it needs memory for a copy, and more
/// than a thousand reads of a page.
pub(crate) fn kernel_btf(path: &Path, limit: u64) -> Result<Bytes, ReadError> {
    let file = open(path)?;
    let len = file.metadata()?.len();
    if len > limit {
        return Err(ReadError::TooLong { limit });
    }
    if is_sysfs(path) {
        // SAFETY: the memory is the kernel's. The kernel makes it once, at boot, and never changes
        // or frees it. A file of sysfs cannot be truncated.
        if let Ok(map) = unsafe { MmapOptions::new().map_copy_read_only(&file) } {
            return Ok(Bytes::Mapped(map));
        }
    }
    Ok(Bytes::Read(read_all(file, limit, len as usize)?))
}

/// Whether `path` is in a sysfs.
pub(crate) fn is_sysfs(path: &Path) -> bool {
    // include/uapi/linux/magic.h
    const SYSFS_MAGIC: u64 = 0x6265_6572;
    statfs(path).is_ok_and(|stat| stat.f_type as u64 == SYSFS_MAGIC)
}

/// Reads to the end. More than `limit` bytes are an error.
pub(crate) fn read_all(from: impl Read, limit: u64, expected: usize) -> Result<Vec<u8>, ReadError> {
    // One byte more than expected, so that the end is found without growing the buffer.
    let mut bytes = Vec::with_capacity(expected.saturating_add(1));
    from.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        Err(ReadError::TooLong { limit })
    } else {
        Ok(bytes)
    }
}

/// Reads a text file; bytes that are not UTF-8 become U+FFFD.
pub(crate) fn read_text(path: &Path) -> Result<String, ReadError> {
    Ok(String::from_utf8_lossy(&read(path, TEXT)?).into_owned())
}

/// The inode number in a link such as `pid:[4026531836]` (`ns_get_name`, fs/nsfs.c).
pub(crate) fn namespace_inum(path: &Path, kind: &str) -> Result<u32, ReadError> {
    let target = std::fs::read_link(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => ReadError::Missing,
        _ => ReadError::Io(error),
    })?;
    let inum = |target: &OsStr| {
        let text = std::str::from_utf8(target.as_bytes()).ok()?;
        let number = text
            .strip_prefix(kind)?
            .strip_prefix(":[")?
            .strip_suffix(']')?;
        number.parse().ok()
    };
    inum(target.as_os_str()).ok_or_else(|| {
        ReadError::Io(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("{} is not a namespace", target.display()),
        ))
    })
}

/// The value of `Name:\tvalue` in a status file of procfs.
pub(crate) fn status_field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .map(str::trim)
}

/// The cgroups in the text of `/proc/PID/cgroup`; none if any line has another form.
pub(crate) fn parse_cgroups(text: &str) -> Vec<ProcessCGroup> {
    ProcessCGroups::from_buf_read(text.as_bytes()).map_or_else(|_| Vec::new(), |cgroups| cgroups.0)
}
