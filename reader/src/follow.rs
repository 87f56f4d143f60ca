//! Follows files that grow, also across their rotation.

use std::{
    fs::{self, File},
    io,
    os::{
        fd::AsFd,
        unix::fs::{FileExt as _, FileTypeExt as _, MetadataExt as _},
    },
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    time::Timespec,
};

use crate::{
    parallel::read_all,
    reading::{Consumer, Reading},
    source::{Lines, Sink as _, Stop, is_compressed},
};

/// Pause before looking for further bytes.
const PAUSE: Duration = Duration::from_millis(200);
/// Bytes that are read at once.
const CHUNK: usize = 256 * 1024;
/// Bytes at the beginning of a file that differ from those of any other: a line's time is among the
/// first.
const BEGINNING: usize = 256;

/// When unreadable lines are named on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    /// As soon as they are read.
    AtOnce,
    /// At the end: the terminal shows something else.
    AtEnd,
}

/// A file that is followed.
struct Followed {
    path: PathBuf,
    file: Option<File>,
    /// Bytes that are read.
    position: u64,
    /// The first of them, as far as [`BEGINNING`].
    beginning: Vec<u8>,
    lines: Lines,
}

/// Reads the files and everything that is written to them later, until nothing more is wanted, or
/// nobody reads standard output any more. Standard input and pipes are read to their end. Returns
/// whether everything could be read.
pub(crate) fn follow(
    program: &str,
    files: &[PathBuf],
    consumer: &mut (impl Consumer + Send),
    naming: Naming,
) -> bool {
    if let [file] = files
        && (file == Path::new("-") || is_pipe(file))
    {
        return read_all(program, files, consumer);
    }
    let mut followed: Vec<Followed> = files.iter().map(|path| Followed::new(path)).collect();
    for file in &mut followed {
        // It may be missing only later, during a rotation.
        if let Err(error) = file.begin() {
            eprintln!("{program}: cannot follow {}: {error}", file.path.display());
            return false;
        }
    }
    let mut reading = match naming {
        Naming::AtOnce => Reading::new(consumer).naming_at_once(program),
        Naming::AtEnd => Reading::new(consumer).without_progress(),
    };
    let mut chunk = vec![0; CHUNK];
    loop {
        let mut any = false;
        for file in &mut followed {
            reading.set_name(&file.path);
            match file.read(&mut chunk, &mut reading) {
                Ok(Ok(read)) => any |= read,
                Ok(Err(Stop)) => {
                    reading.report(program);
                    return true;
                }
                Err(error) => {
                    reading.report(program);
                    eprintln!("{program}: cannot read {}: {error}", file.path.display());
                    return false;
                }
            }
        }
        if !any {
            thread::sleep(PAUSE);
            if reading.pause(0).is_err() || is_unread(io::stdout()) {
                reading.report(program);
                return true;
            }
        }
    }
}

/// Whether a file is a pipe, which has an end.
fn is_pipe(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo())
}

/// Whether an output is a pipe that nobody reads any more: writing shows that only at the next
/// line, which may never come.
fn is_unread(output: impl AsFd) -> bool {
    let mut output = [PollFd::new(&output, PollFlags::empty())];
    let polled = poll(&mut output, Some(&Timespec::default()));
    let events = output.iter().map(PollFd::revents);
    polled.is_ok()
        && events
            .into_iter()
            .any(|events| events.contains(PollFlags::ERR))
}

impl Followed {
    fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            file: None,
            position: 0,
            beginning: Vec::new(),
            lines: Lines::default(),
        }
    }

    /// Opens the file, which must be there.
    fn begin(&mut self) -> io::Result<()> {
        if !fs::metadata(&self.path)?.is_file() {
            return Err(io::Error::other(
                "it is not a regular file; a pipe is followed by itself, without other files",
            ));
        }
        let file = File::open(&self.path)?;
        let mut beginning = [0; 4];
        let read = file.read_at(&mut beginning, 0)?;
        if is_compressed(beginning.get(..read).unwrap_or_default()) {
            return Err(io::Error::other(
                "it is compressed, so nothing is added to it",
            ));
        }
        self.file = Some(file);
        Ok(())
    }

    /// Whether the content was copied and removed, and something else is there now. Each line has
    /// another time, so another beginning shows it, also if there is more than before.
    fn is_other(&self, file: &File) -> io::Result<bool> {
        if file.metadata()?.len() < self.position {
            return Ok(true);
        }
        let mut present = [0; BEGINNING];
        let read = file.read_at(&mut present, 0)?;
        Ok(!present
            .get(..read)
            .unwrap_or_default()
            .starts_with(&self.beginning))
    }

    /// Takes the next bytes of the file.
    fn take<C: Consumer>(
        &mut self,
        bytes: &[u8],
        reading: &mut Reading<'_, C>,
    ) -> Result<(), Stop> {
        let missing = BEGINNING.saturating_sub(self.beginning.len());
        let first = bytes.get(..missing.min(bytes.len())).unwrap_or_default();
        self.beginning.extend_from_slice(first);
        self.position += bytes.len() as u64;
        self.lines.push(bytes, reading)
    }

    /// Reads what is new. Returns whether there is anything.
    fn read<C: Consumer>(
        &mut self,
        chunk: &mut [u8],
        reading: &mut Reading<'_, C>,
    ) -> io::Result<Result<bool, Stop>> {
        let Some(file) = self.file.take() else {
            return self.open().map(Ok);
        };
        if self.is_other(&file)? {
            self.file = Some(file);
            return Ok(self.end_file(reading).map(|()| true));
        }
        let mut read = file.read_at(chunk, self.position)?;
        if read == 0 {
            if !self.is_replaced(&file)? {
                self.file = Some(file);
                return Ok(Ok(false));
            }
            // The writer may have written to the old file until the new one was there.
            read = file.read_at(chunk, self.position)?;
            if read == 0 {
                return Ok(self.end_file(reading).map(|()| true));
            }
        }
        self.file = Some(file);
        let taken = self.take(chunk.get(..read).unwrap_or_default(), reading);
        Ok(taken.and_then(|()| reading.pause(read)).map(|()| true))
    }

    /// Whether another file has the path.
    fn is_replaced(&self, file: &File) -> io::Result<bool> {
        let metadata = file.metadata()?;
        match fs::metadata(&self.path) {
            Ok(present) => Ok((present.dev(), present.ino()) != (metadata.dev(), metadata.ino())),
            // It was renamed, and the next one is not there yet.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn end_file<C: Consumer>(&mut self, reading: &mut Reading<'_, C>) -> Result<(), Stop> {
        self.position = 0;
        self.beginning.clear();
        self.lines.end_file(reading).map(|_| ())
    }

    /// Opens the file. Returns whether it could be opened: after a rotation it may not be there
    /// yet.
    fn open(&mut self) -> io::Result<bool> {
        match File::open(&self.path) {
            Ok(file) => {
                self.file = Some(file);
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}
