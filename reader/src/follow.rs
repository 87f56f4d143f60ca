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
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    time::Timespec,
};

use crate::{
    parallel::read_all,
    reading::{Consumer, Reading},
    source::{
        Input, Lines, Sink as _, SourceError, Stop, files_of, is_compressed, is_rotated, name_of,
        present_files,
    },
};

/// Pause before looking for further bytes.
const PAUSE: Duration = Duration::from_millis(200);
/// How often files of later restarts are looked for.
const LOOK: Duration = Duration::from_secs(1);
/// Bytes that are read at once.
const CHUNK: usize = 256 * 1024;
/// Number of bytes at the beginning of a file that distinguish it from all others: they have the
/// time of its first line.
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
    /// Number of bytes that are read.
    position: u64,
    /// The first of these bytes, at most [`BEGINNING`].
    beginning: Vec<u8>,
    /// A compressed file, to which nothing is added: it is read once.
    compressed: Option<Input>,
    has_ended: bool,
    lines: Lines,
}

/// Reads the files and everything that is written to them later, until nothing more is wanted, or
/// nobody reads standard output any more. Standard input or a pipe must be the only file, and is
/// read to its end. In a directory of a container, the files of later restarts are followed, too.
/// Returns `false` if a file could not be opened or read, or in the cases of [`Reading::report`].
pub(crate) fn follow(
    program: &str,
    paths: &[PathBuf],
    consumer: &mut (impl Consumer + Send),
    naming: Naming,
) -> bool {
    if let [file] = paths
        && (file == Path::new("-") || is_pipe(file))
    {
        return read_all(program, paths, consumer);
    }
    let reading = match naming {
        Naming::AtOnce => Reading::new(consumer).naming_at_once(program),
        Naming::AtEnd => Reading::new(consumer).without_progress(),
    };
    let mut following = Following {
        reading,
        followed: Vec::new(),
        chunk: vec![0; CHUNK],
    };
    let result = following.run(paths);
    let is_readable = following.reading.report(program);
    result
        .inspect_err(|error| eprintln!("{program}: {error}"))
        .is_ok()
        && is_readable
}

/// Why files cannot be followed.
#[derive(Debug, thiserror::Error)]
enum FollowError {
    #[error("cannot follow {name}: {source}")]
    Begin { name: String, source: io::Error },
    #[error("cannot read {name}: {source}")]
    Read { name: String, source: io::Error },
    #[error(transparent)]
    Source(#[from] SourceError),
}

/// The files, and who takes their lines.
struct Following<'a, C> {
    reading: Reading<'a, C>,
    followed: Vec<Followed>,
    chunk: Vec<u8>,
}

impl<C: Consumer> Following<'_, C> {
    /// Follows the files until nothing more is wanted.
    fn run(&mut self, paths: &[PathBuf]) -> Result<(), FollowError> {
        let files = files_of(paths)?;
        for path in &files {
            self.begin(path)?;
        }
        // The files of a log are read one after the other, as far as they are written.
        for at in 0..self.followed.len() {
            while match self.read(at)? {
                Ok(is_any) => is_any,
                Err(Stop) => return Ok(()),
            } {}
            if self.hand_over(at).is_err() {
                return Ok(());
            }
        }
        let mut looked = Instant::now();
        let mut is_idle = false;
        loop {
            let mut is_any = false;
            for at in 0..self.followed.len() {
                match self.read(at)? {
                    Ok(is_more) => is_any |= is_more,
                    Err(Stop) => return Ok(()),
                }
            }
            is_idle &= !is_any;
            if looked.elapsed() >= LOOK {
                looked = Instant::now();
                self.look(paths);
                // Lines of a long argv are written together: after a pause no more come.
                if is_idle && self.reading.end_all().is_err() {
                    return Ok(());
                }
                is_idle = true;
            }
            if is_any {
                continue;
            }
            thread::sleep(PAUSE);
            if self.reading.pause(0).is_err() || is_unread(io::stdout()) {
                return Ok(());
            }
        }
    }

    /// Nothing is added to a rotated file. If its last line is incomplete, the next file of the
    /// directory has the rest.
    fn hand_over(&mut self, at: usize) -> Result<(), Stop> {
        let Some([file, next]) = self.followed.get_mut(at..at + 2) else {
            return Ok(());
        };
        if is_rotated(&file.path) && file.path.parent() == next.path.parent() {
            file.lines.end_file(&mut self.reading)?;
            std::mem::swap(&mut file.lines, &mut next.lines);
        }
        Ok(())
    }

    /// Begins with a file, which must be there: it may be missing only later, during a rotation.
    fn begin(&mut self, path: &Path) -> Result<(), FollowError> {
        let mut file = Followed::new(path);
        file.begin().map_err(|source| FollowError::Begin {
            name: name_of(path),
            source,
        })?;
        self.followed.push(file);
        Ok(())
    }

    /// Reads what is new in a file. Returns whether there is anything.
    fn read(&mut self, at: usize) -> Result<Result<bool, Stop>, FollowError> {
        let Some(file) = self.followed.get_mut(at) else {
            return Ok(Ok(false));
        };
        self.reading.set_name(&file.path);
        file.read(&mut self.chunk, &mut self.reading)
            .map_err(|source| FollowError::Read {
                name: name_of(&file.path),
                source,
            })
    }

    /// Looks for files of later restarts. What cannot be opened yet is looked for again.
    fn look(&mut self, paths: &[PathBuf]) {
        for directory in paths.iter().filter(|path| path.is_dir()) {
            // It may be removed with the pod.
            for path in present_files(directory) {
                if !self.followed.iter().any(|file| file.path == path) {
                    let _ = self.begin(&path);
                }
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
    let is_closed = |output: &PollFd<'_>| output.revents().contains(PollFlags::ERR);
    polled.is_ok() && output.iter().any(is_closed)
}

impl Followed {
    fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            file: None,
            position: 0,
            beginning: Vec::new(),
            compressed: None,
            has_ended: false,
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
            self.compressed = Some(Input::open(&self.path).map_err(io::Error::other)?);
        } else {
            self.file = Some(file);
        }
        Ok(())
    }

    /// Whether the file was emptied, as a rotation by copying does; it may have other content by
    /// now. Lines differ in their times, so the beginning shows it even if the file is longer than
    /// before.
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
        if let Some(compressed) = self.compressed.take() {
            self.has_ended = true;
            let read = compressed.read(&mut self.lines, reading);
            return read
                .map(|read| read.map(|_| true))
                .map_err(io::Error::other);
        }
        if self.has_ended {
            return Ok(Ok(false));
        }
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
