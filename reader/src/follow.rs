//! Follows files that grow, also across their rotation.

use std::{
    fs::{self, File},
    io::{self, Read as _, Seek as _, SeekFrom},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    thread,
    time::Duration,
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
    lines: Lines,
}

/// Reads the files and everything that is written to them later, until nothing more is wanted.
/// Standard input is read to its end. Returns whether everything could be read.
pub(crate) fn follow(
    program: &str,
    files: &[PathBuf],
    consumer: &mut (impl Consumer + Send),
    naming: Naming,
) -> bool {
    if files == [Path::new("-")] {
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
            if reading.pause(0).is_err() {
                reading.report(program);
                return true;
            }
        }
    }
}

impl Followed {
    fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            file: None,
            position: 0,
            lines: Lines::default(),
        }
    }

    /// Opens the file, which must be there.
    fn begin(&mut self) -> io::Result<()> {
        let mut beginning = Vec::new();
        let file = File::open(&self.path)?;
        (&file).take(4).read_to_end(&mut beginning)?;
        if is_compressed(&beginning) {
            return Err(io::Error::other(
                "it is compressed, so nothing is added to it",
            ));
        }
        (&file).seek(SeekFrom::Start(0))?;
        self.file = Some(file);
        Ok(())
    }

    /// Reads what is new. Returns whether there is anything.
    fn read<C: Consumer>(
        &mut self,
        chunk: &mut [u8],
        reading: &mut Reading<'_, C>,
    ) -> io::Result<Result<bool, Stop>> {
        let Some(file) = &mut self.file else {
            return self.open().map(Ok);
        };
        let read = file.read(chunk)?;
        if read > 0 {
            self.position += read as u64;
            let bytes = chunk.get(..read).unwrap_or_default();
            let taken = self.lines.push(bytes, reading);
            return Ok(taken.and_then(|()| reading.pause(read)).map(|()| true));
        }
        let metadata = file.metadata()?;
        if metadata.len() < self.position {
            // Its content was copied and removed.
            self.position = 0;
            file.seek(SeekFrom::Start(0))?;
            return Ok(self.lines.end_file(reading).map(|_| true));
        }
        let is_present = match fs::metadata(&self.path) {
            Ok(present) => (present.dev(), present.ino()) == (metadata.dev(), metadata.ino()),
            // It was renamed, and the next one is not there yet.
            Err(error) if error.kind() == io::ErrorKind::NotFound => true,
            Err(error) => return Err(error),
        };
        if is_present {
            return Ok(Ok(false));
        }
        // The writer may have written to the old file until the new one was there.
        let last = file.read(chunk)?;
        let bytes = chunk.get(..last).unwrap_or_default();
        if last > 0 {
            self.position += last as u64;
            return Ok(self.lines.push(bytes, reading).map(|()| true));
        }
        self.file = None;
        Ok(self.lines.end_file(reading).map(|_| true))
    }

    /// Opens the file. Returns whether it could be opened: after a rotation it may not be there
    /// yet.
    fn open(&mut self) -> io::Result<bool> {
        match File::open(&self.path) {
            Ok(file) => {
                self.file = Some(file);
                self.position = 0;
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}
