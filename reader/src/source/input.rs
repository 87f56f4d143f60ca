//! Opens files, and decompresses them.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    os::fd::AsFd as _,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use flate2::bufread::MultiGzDecoder;
use rustix::{
    event::{PollFd, PollFlags, poll},
    time::Timespec,
};

use super::{
    frames::Frames,
    line::{LineNumber, Sink, Stop, Unreadable},
    lines::Lines,
};
use crate::shown::escaped;

/// Maximum number of bytes that one read takes.
const CHUNK: usize = 256 * 1024;
/// Maximum time until an input without new bytes notices that nothing more is wanted: 200 ms.
const PAUSE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 200_000_000,
};
/// The beginning of a gzip member (RFC 1952).
const GZIP: &[u8] = &[0x1f, 0x8b];
/// The beginning of a zstd frame (RFC 8878).
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// A file that cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    /// The file cannot be opened.
    #[error("cannot open {name}: {source}")]
    Open {
        /// Name of the file.
        name: String,
        /// The reason.
        source: io::Error,
    },
    /// The file cannot be read to its end.
    #[error("cannot read {name}: {source}")]
    Read {
        /// Name of the file.
        name: String,
        /// The kernel's error.
        source: io::Error,
    },
}

/// A file that may be a pipe or a terminal. It ends early if nothing more is wanted, also while it
/// has no new bytes.
struct Stoppable {
    file: File,
    is_stopped: Arc<AtomicBool>,
}

impl Read for Stoppable {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.is_stopped.load(Ordering::Relaxed) {
                return Ok(0);
            }
            let mut file = [PollFd::new(&self.file, PollFlags::IN)];
            if poll(&mut file, Some(&PAUSE))? > 0 {
                return self.file.read(buffer);
            }
        }
    }
}

/// An open input.
pub(crate) struct Input {
    name: String,
    bytes: Bytes,
}

enum Bytes {
    Plain(Box<dyn Read>),
    Gzip(Box<dyn Read>),
    Zstd(Box<Frames>),
}

impl Input {
    /// Opens a file; `-` is standard input. When `is_stopped` becomes true, the input soon ends.
    ///
    /// # Errors
    /// If the file cannot be opened, or its first bytes cannot be read.
    pub(crate) fn open(path: &Path, is_stopped: Arc<AtomicBool>) -> Result<Self, SourceError> {
        let name = name_of(path);
        let file = if path == Path::new("-") {
            // The file is read directly. A read by `io::stdin` can leave bytes in its buffer, and
            // `poll` would then wait although these bytes are there.
            io::stdin().as_fd().try_clone_to_owned().map(File::from)
        } else {
            File::open(path)
        };
        let file = file.map_err(|source| SourceError::Open {
            name: name.clone(),
            source,
        })?;
        let file = Box::new(Stoppable { file, is_stopped });
        let bytes = decompressed(file).map_err(|source| SourceError::Read {
            name: name.clone(),
            source,
        })?;
        Ok(Self { name, bytes })
    }

    /// Reads all lines, and returns the number of the last one.
    ///
    /// # Errors
    /// If the file cannot be read. If a compressed file is damaged or cut, the sink gets
    /// [`Unreadable::Compressed`] instead.
    pub(crate) fn read(
        mut self,
        lines: &mut Lines,
        sink: &mut impl Sink,
    ) -> Result<Result<LineNumber, Stop>, SourceError> {
        let mut chunk = vec![0; CHUNK];
        loop {
            let read = match &mut self.bytes {
                Bytes::Plain(file) | Bytes::Gzip(file) => file.read(&mut chunk),
                Bytes::Zstd(file) => file.read(&mut chunk),
            };
            let read = match read {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if self.is_damage(&error) => {
                    let why = Unreadable::Compressed(error.to_string());
                    sink.unreadable(lines.number() + 1, why);
                    0
                }
                Err(source) => {
                    let name = self.name;
                    return Err(SourceError::Read { name, source });
                }
            };
            if read == 0 {
                return Ok(lines.end_file(sink));
            }
            let bytes = chunk.get(..read).unwrap_or_default();
            if lines.push(bytes, sink).is_err() || sink.pause(read).is_err() {
                return Ok(Err(Stop));
            }
        }
    }

    /// Whether an error comes from the decompression.
    fn is_damage(&self, error: &io::Error) -> bool {
        let is_compressed = !matches!(self.bytes, Bytes::Plain(_));
        is_compressed && error.raw_os_error().is_none()
    }
}

/// The name of an input, escaped.
pub(crate) fn name_of(path: &Path) -> String {
    if path == Path::new("-") {
        "standard input".to_owned()
    } else {
        escaped(&path.to_string_lossy())
    }
}

/// Decompresses a file if it begins like a compressed one.
fn decompressed(mut file: Box<dyn Read>) -> io::Result<Bytes> {
    let mut beginning = Vec::new();
    file.by_ref()
        .take(ZSTD.len() as u64)
        .read_to_end(&mut beginning)?;
    let is_zstd = is_zstd(&beginning);
    let is_gzip = beginning.starts_with(GZIP);
    let whole = io::Cursor::new(beginning).chain(file);
    Ok(if is_gzip {
        let buffered = BufReader::with_capacity(CHUNK, whole);
        Bytes::Gzip(Box::new(MultiGzDecoder::new(buffered)))
    } else if is_zstd {
        let buffered = BufReader::with_capacity(CHUNK, whole);
        Bytes::Zstd(Box::new(Frames::new(Box::new(buffered))))
    } else {
        Bytes::Plain(Box::new(whole))
    })
}

/// Whether these bytes begin a zstd frame, or a frame that decoders skip.
fn is_zstd(beginning: &[u8]) -> bool {
    beginning.starts_with(ZSTD) || matches!(beginning, [0x50..=0x5f, 0x2a, 0x4d, 0x18])
}

/// Whether a file with these first four bytes is compressed.
pub(crate) fn is_compressed(beginning: &[u8]) -> bool {
    beginning.starts_with(GZIP) || is_zstd(beginning)
}
