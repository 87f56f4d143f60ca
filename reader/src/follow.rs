//! Follows files that grow and are rotated.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::{FileExt as _, FileTypeExt as _, MetadataExt as _},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use crate::{
    output::is_unread,
    parallel::follow_pipe,
    reading::{Consumer, PAUSE, Reading},
    source::{
        Input, Lines, Sink as _, SourceError, Stop, files_of, is_compressed, is_rotated, name_of,
        present_files,
    },
};

/// Period of looking for files of later restarts.
const LOOK: Duration = Duration::from_secs(1);
/// Maximum number of bytes that one read takes.
const CHUNK: usize = 256 * 1024;
/// Number of bytes that identify a file. They are its first bytes, and contain the time of its
/// first line.
const BEGINNING: usize = 256;

/// When unreadable lines are named on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    /// As soon as they are read.
    AtOnce,
    /// At the end, because the terminal shows something else until then.
    AtEnd,
}

/// A file that is followed.
struct Followed {
    path: PathBuf,
    file: Option<File>,
    /// Number of bytes read so far.
    position: u64,
    /// The first of these bytes, up to [`BEGINNING`].
    beginning: Vec<u8>,
    /// A compressed file. It is read once, because nothing is added to it.
    compressed: Option<Input>,
    has_ended: bool,
    lines: Lines,
}

/// Reads the files and everything that is added to them later. Ends if nothing more is wanted, or
/// if standard output has no reader. Standard input or a pipe must be the only file, and is read to
/// its end. In a directory of a container, files of later restarts are followed, too. Returns
/// `false` if a file could not be opened or read, or if [`Reading::report`] returns `false`.
pub(crate) fn follow(
    program: &str,
    paths: &[PathBuf],
    consumer: &mut (impl Consumer + Send),
    naming: Naming,
) -> bool {
    let reading = Reading::new(consumer).without_progress();
    let reading = match naming {
        Naming::AtOnce => reading.naming_at_once(program),
        Naming::AtEnd => reading,
    };
    if let [file] = paths
        && (file == Path::new("-") || is_pipe(file))
    {
        return follow_pipe(program, paths, reading);
    }
    let mut following = Following {
        reading,
        followed: Vec::new(),
        chunk: vec![0; CHUNK],
    };
    let result = following.run(paths);
    following.reading.end();
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

/// The followed files, and the reader that takes their lines.
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
        // First reads each file to its present end, one after the other.
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
                // exectrail writes the lines of a long argv together. No more of them come after a
                // pause.
                if is_idle && self.reading.end_all().is_err() {
                    return Ok(());
                }
                is_idle = true;
            }
            if is_any {
                continue;
            }
            thread::sleep(PAUSE);
            if self.reading.pause(0).is_err() || is_unread() {
                return Ok(());
            }
        }
    }

    /// Hands the unfinished lines of a rotated file to the next file of the directory, which may
    /// have the rest of them. Nothing is added to a rotated file.
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

    /// Begins to follow a file, which must exist. Later, during a rotation, it may be missing for a
    /// while.
    fn begin(&mut self, path: &Path) -> Result<(), FollowError> {
        let mut file = Followed::new(path);
        file.begin().map_err(|source| FollowError::Begin {
            name: name_of(path),
            source,
        })?;
        self.followed.push(file);
        Ok(())
    }

    /// Reads new bytes of a file. Returns whether there is anything new: bytes, or another file.
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

    /// Looks for files of later restarts. A file that cannot be opened yet is tried again next
    /// time.
    fn look(&mut self, paths: &[PathBuf]) {
        for directory in paths.iter().filter(|path| path.is_dir()) {
            // If the pod was removed, the directory is missing, and no file is found.
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

    /// Opens the file, which must exist.
    fn begin(&mut self) -> io::Result<()> {
        if !fs::metadata(&self.path)?.is_file() {
            return Err(io::Error::other(
                "it is not a regular file; a pipe must be the only file",
            ));
        }
        let file = File::open(&self.path)?;
        let mut beginning = [0; 4];
        let read = file.read_at(&mut beginning, 0)?;
        if is_compressed(beginning.get(..read).unwrap_or_default()) {
            self.compressed =
                Some(Input::open(&self.path, Arc::default()).map_err(io::Error::other)?);
        } else {
            self.file = Some(file);
        }
        Ok(())
    }

    /// Whether the file was emptied, and may have new content, as after a rotation by copying. The
    /// new content may be longer, but its first line has another time.
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

    /// Reads new bytes. Returns whether there is anything new: bytes, or another file.
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
            // Since the read above, the writer may have added bytes to the old file.
            read = file.read_at(chunk, self.position)?;
            if read == 0 {
                return Ok(self.end_file(reading).map(|()| true));
            }
        }
        self.file = Some(file);
        let taken = self.take(chunk.get(..read).unwrap_or_default(), reading);
        Ok(taken.and_then(|()| reading.pause(read)).map(|()| true))
    }

    /// Whether the path now names another file.
    fn is_replaced(&self, file: &File) -> io::Result<bool> {
        let metadata = file.metadata()?;
        match fs::metadata(&self.path) {
            Ok(present) => Ok((present.dev(), present.ino()) != (metadata.dev(), metadata.ino())),
            // The file was renamed, and the next file does not exist yet.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn end_file<C: Consumer>(&mut self, reading: &mut Reading<'_, C>) -> Result<(), Stop> {
        self.position = 0;
        self.beginning.clear();
        self.lines.end_file(reading).map(|_| ())
    }

    /// Opens the file. Returns false if it does not exist yet, as during a rotation.
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
