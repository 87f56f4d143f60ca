//! A descriptor with writes that wait at most a given time for its reader.

use std::{
    fs::File,
    io::{self, ErrorKind, Write as _},
    os::fd::{AsRawFd as _, OwnedFd},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{FileType, Mode, OFlags, fcntl_getfl, fstat, open},
    io::Errno,
};

/// Bytes that a pipe accepts without blocking when it reports room (PIPE_BUF, pipe(7)).
const PIPE_BUF: usize = 4096;
/// Bytes that a terminal accepts without blocking when it reports room. A terminal reports room
/// while fewer than 256 characters wait (n_tty_poll, n_tty.c), and its smallest buffer is one page.
const TERMINAL_ROOM: usize = 1024;

/// The reader that a write may have to wait for.
#[derive(Clone, Copy, Debug)]
enum ReaderKind {
    /// None: a file, or a device without a reader.
    None,
    /// A reader. A write that would wait for the reader fails instead.
    NonBlocking,
    /// A reader. A write of at most this many bytes does not wait if there is any room.
    Blocking(usize),
}

/// A file, pipe, socket or terminal to write to.
#[derive(Debug)]
pub(crate) struct Outlet {
    file: File,
    reader: ReaderKind,
}

impl Outlet {
    /// Writes to `fd`. Other processes share the flags of the open file, so these stay unchanged: a
    /// pipe or a terminal is opened a second time.
    pub(crate) fn new(fd: OwnedFd) -> Self {
        let kind = fstat(&fd).map(|stat| FileType::from_raw_mode(stat.st_mode));
        let is_non_blocking = fcntl_getfl(&fd).is_ok_and(|flags| flags.contains(OFlags::NONBLOCK));
        let room = match kind {
            Ok(FileType::Fifo | FileType::Socket) => PIPE_BUF,
            Ok(FileType::CharacterDevice) if rustix::termios::isatty(&fd) => TERMINAL_ROOM,
            _ => return Self::with(fd, ReaderKind::None),
        };
        if is_non_blocking {
            return Self::with(fd, ReaderKind::NonBlocking);
        }
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
        match open(path, flags, Mode::empty()) {
            Ok(again) => Self::with(again, ReaderKind::NonBlocking),
            // It is a socket, or a pipe or terminal of another user; or /proc is missing.
            Err(_) => Self::with(fd, ReaderKind::Blocking(room)),
        }
    }

    fn with(fd: OwnedFd, reader: ReaderKind) -> Self {
        let file = fd.into();
        Self { file, reader }
    }

    /// Writes some of `bytes`; returns their number.
    ///
    /// # Errors
    /// `WouldBlock` if there was no room for `patience`; otherwise the errors of write(2).
    pub(crate) fn write(&self, bytes: &[u8], patience: Duration) -> io::Result<usize> {
        let mut file = &self.file;
        match self.reader {
            ReaderKind::None => file.write(bytes),
            ReaderKind::NonBlocking => match file.write(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.wait(patience)?;
                    file.write(bytes)
                }
                done => done,
            },
            ReaderKind::Blocking(room) => {
                self.wait(patience)?;
                file.write(bytes.get(..room).unwrap_or(bytes))
            }
        }
    }

    /// Waits for room.
    fn wait(&self, patience: Duration) -> io::Result<()> {
        let start = Instant::now();
        loop {
            let mut fds = [PollFd::new(&self.file, PollFlags::OUT)];
            let left = patience.saturating_sub(start.elapsed());
            let left = Timespec::try_from(left).map_err(io::Error::other)?;
            match poll(&mut fds, Some(&left)) {
                Ok(0) => return Err(ErrorKind::WouldBlock.into()),
                // Also if the reader has closed: the write returns that error.
                Ok(_) => return Ok(()),
                // A signal ended the wait.
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Writes all of `bytes`. Fails if there is no room for `patience`.
    pub(crate) fn write_all(&self, bytes: &[u8], patience: Duration) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.write(rest, patience) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Read as _, os::unix::net::UnixStream};

    use rustix::pipe::pipe;

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(20);

    /// Fills the outlet; returns the bytes that it accepted before it was full.
    fn fill(outlet: &Outlet) -> usize {
        let start = Instant::now();
        let mut written = 0;
        loop {
            match outlet.write(&[b'x'; 100_000], PATIENCE) {
                Ok(bytes) => written += bytes,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::WouldBlock);
                    assert!(start.elapsed() >= PATIENCE);
                    return written;
                }
            }
        }
    }

    #[test]
    fn a_full_pipe_is_waited_for_no_longer_than_asked() {
        let (reader, writer) = pipe().unwrap();
        let outlet = Outlet::new(writer);
        assert!(matches!(outlet.reader, ReaderKind::NonBlocking));
        let written = fill(&outlet);
        assert!(written >= PIPE_BUF);
        let mut read = vec![0; written];
        File::from(reader).read_exact(&mut read).unwrap();
    }

    #[test]
    fn a_full_pipe_that_cannot_be_opened_again_is_waited_for_no_longer_either() {
        let (reader, writer) = pipe().unwrap();
        let outlet = Outlet::with(writer, ReaderKind::Blocking(PIPE_BUF));
        assert!(fill(&outlet) >= PIPE_BUF);
        drop(reader);
        let error = outlet.write(b"x", PATIENCE).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_full_socket_is_waited_for_no_longer_than_asked() {
        let (reader, writer) = UnixStream::pair().unwrap();
        let outlet = Outlet::new(writer.into());
        assert!(matches!(outlet.reader, ReaderKind::Blocking(_)));
        assert!(fill(&outlet) > 0);
        drop(reader);
    }

    /// The flags of a pipe that other processes write to stay unchanged.
    #[test]
    fn a_pipe_stays_blocking_for_other_processes() {
        let (_reader, writer) = pipe().unwrap();
        let other = writer.try_clone().unwrap();
        let _outlet = Outlet::new(writer);
        assert!(!fcntl_getfl(&other).unwrap().contains(OFlags::NONBLOCK));
    }
}
