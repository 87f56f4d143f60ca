//! Reads files in several threads. One thread finds the lines, and others parse the lines. The
//! consumer takes the records in order.

use std::{
    convert::Infallible,
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread,
};

use crate::{
    output::is_unread,
    reading::{Consumer, PAUSE, Reading},
    record::Record,
    source::{Input, Line, LineNumber, Lines, Sink, SourceError, Stop, Unreadable},
};

/// Maximum number of threads that share one kind of work.
const THREADS: usize = 4;

/// Number of threads that share one kind of work.
pub(crate) fn threads() -> usize {
    thread::available_parallelism()
        .map_or(1, usize::from)
        .min(THREADS)
}

/// The lines that the source has found in a chunk of a file.
#[derive(Default)]
struct Batch {
    /// The batch's place in the order of batches.
    order: u64,
    path: Arc<PathBuf>,
    /// Number of bytes of the chunk.
    read: usize,
    /// The bytes of the lines, one after the other.
    bytes: Vec<u8>,
    found: Vec<Found>,
}

enum Found {
    /// A line, which ends at this byte of the batch.
    Line(LineNumber, usize),
    Unreadable(LineNumber, Unreadable),
}

/// Collects batches, and gives them to the threads.
struct Batches {
    batch: Batch,
    sender: SyncSender<Batch>,
    is_stopped: Arc<AtomicBool>,
}

impl Batches {
    /// Gives the batch to the threads. Waits while the channel is full.
    fn send(&mut self) -> Result<(), Stop> {
        let next = Batch {
            order: self.batch.order + 1,
            path: Arc::clone(&self.batch.path),
            read: 0,
            // The next chunk is likely to need as much room.
            bytes: Vec::with_capacity(self.batch.bytes.len()),
            found: Vec::with_capacity(self.batch.found.len()),
        };
        let sent = self.sender.send(std::mem::replace(&mut self.batch, next));
        match sent {
            Ok(()) if !self.is_stopped.load(Ordering::Relaxed) => Ok(()),
            _ => Err(Stop),
        }
    }

    /// Reads one file.
    fn file(&mut self, path: &Path, lines: &mut Lines) -> Result<Result<(), Stop>, SourceError> {
        self.batch.path = Arc::new(path.to_owned());
        let input = Input::open(path, Arc::clone(&self.is_stopped))?;
        let read = input.read(lines, self)?;
        Ok(read.and_then(|_| self.send()))
    }
}

impl Sink for Batches {
    fn line(&mut self, line: Line<'_>) -> Result<(), Stop> {
        self.batch.bytes.extend_from_slice(line.bytes);
        let end = self.batch.bytes.len();
        self.batch.found.push(Found::Line(line.number, end));
        Ok(())
    }

    fn unreadable(&mut self, number: LineNumber, why: Unreadable) {
        self.batch.found.push(Found::Unreadable(number, why));
    }

    fn pause(&mut self, bytes: usize) -> Result<(), Stop> {
        self.batch.read = bytes;
        self.send()
    }
}

/// The consumer, and the number of the batch that it takes next.
struct Turn<'a, C> {
    next: u64,
    reading: Reading<'a, C>,
    result: Result<(), Stop>,
}

/// What the threads share.
struct Shared<'r, C> {
    receiver: Mutex<Receiver<Batch>>,
    turn: Mutex<Turn<'r, C>>,
    has_changed: Condvar,
    is_stopped: Arc<AtomicBool>,
}

/// Locks a mutex, even if another thread panicked while it had the lock. In a release this does not
/// happen, because a panic ends the program (`panic` in the workspace's Cargo.toml).
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<C: Consumer> Shared<'_, C> {
    /// Parses the lines of batches until no batch comes.
    fn work(&self) {
        loop {
            let received = lock(&self.receiver).recv();
            let Ok(batch) = received else { return };
            self.take(&batch);
        }
    }

    fn take(&self, batch: &Batch) {
        let mut begin = 0;
        let mut records = Vec::with_capacity(batch.found.len());
        for found in &batch.found {
            if let Found::Line(_, end) = found {
                let line = batch.bytes.get(begin..*end).unwrap_or_default();
                begin = *end;
                records.push((line, Record::read(line)));
            }
        }
        let mut records = records.into_iter();
        let mut turn = lock(&self.turn);
        while turn.next != batch.order {
            turn = self
                .has_changed
                .wait(turn)
                .unwrap_or_else(PoisonError::into_inner);
        }
        turn.reading.set_name(&batch.path);
        for found in &batch.found {
            if turn.result.is_err() {
                break;
            }
            match found {
                Found::Line(number, _) => {
                    if let Some((line, record)) = records.next() {
                        turn.result = turn.reading.parsed(*number, line, record);
                    }
                }
                Found::Unreadable(number, why) => turn.reading.unreadable(*number, why.clone()),
            }
        }
        self.pause(&mut turn, batch.read);
        turn.next += 1;
        self.has_changed.notify_all();
    }

    /// Calls [`Consumer::pause`] after `bytes` more bytes were read. Stops the reading if nothing
    /// more is wanted.
    fn pause(&self, turn: &mut Turn<'_, C>, bytes: usize) {
        if turn.result.is_ok() {
            turn.result = turn.reading.pause(bytes);
        }
        if turn.result.is_err() {
            self.is_stopped.store(true, Ordering::Relaxed);
        }
    }

    /// Calls [`Consumer::pause`] every [`PAUSE`], until `end` is closed.
    fn pause_until(&self, end: &Receiver<Infallible>) {
        while end.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout) {
            let mut turn = lock(&self.turn);
            if is_unread() {
                turn.result = Err(Stop);
            }
            self.pause(&mut turn, 0);
        }
    }
}

/// Reads all files. If a file cannot be read, names it on standard error and reads the others.
/// Returns `false` if a file could not be read to its end, or if the files have lines but none
/// could be parsed.
pub(crate) fn read_all<C: Consumer + Send>(
    program: &str,
    files: &[PathBuf],
    consumer: &mut C,
) -> bool {
    let read = read(files, Reading::new(consumer), Pauses::AfterReading);
    report(program, read)
}

/// Reads a pipe to its end, also if that takes days. Calls [`Consumer::pause`] also while no bytes
/// come. Stops if standard output has no reader. Returns what [`read_all`] returns.
pub(crate) fn follow_pipe<C: Consumer + Send>(
    program: &str,
    pipe: &[PathBuf],
    reading: Reading<'_, C>,
) -> bool {
    report(program, read(pipe, reading, Pauses::AtAnyTime))
}

fn report<C: Consumer>(
    program: &str,
    (reading, errors): (Reading<'_, C>, Vec<SourceError>),
) -> bool {
    for error in &errors {
        eprintln!("{program}: {error}");
    }
    reading.report(program) && errors.is_empty()
}

/// Reads all files, but names nothing that cannot be read: the files are read again later.
pub(crate) fn scan<C: Consumer + Send>(files: &[PathBuf], consumer: &mut C) {
    read(files, Reading::new(consumer), Pauses::AfterReading);
}

/// When [`Consumer::pause`] is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pauses {
    /// After each read.
    AfterReading,
    /// Also while no bytes come.
    AtAnyTime,
}

/// Reads all files. Returns the errors of files that could not be read.
fn read<'a, C: Consumer + Send>(
    files: &[PathBuf],
    reading: Reading<'a, C>,
    pauses: Pauses,
) -> (Reading<'a, C>, Vec<SourceError>) {
    let is_stopped = Arc::new(AtomicBool::new(false));
    let threads = threads();
    let (sender, receiver) = sync_channel(threads);
    let (reading_goes_on, end) = sync_channel(0);
    let shared = Shared {
        receiver: Mutex::new(receiver),
        turn: Mutex::new(Turn {
            next: 0,
            reading,
            result: Ok(()),
        }),
        has_changed: Condvar::new(),
        is_stopped: Arc::clone(&is_stopped),
    };
    let errors = thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| shared.work());
        }
        if pauses == Pauses::AtAnyTime {
            let shared = &shared;
            scope.spawn(move || shared.pause_until(&end));
        }
        // The threads end when `batches` and `reading_goes_on` are dropped.
        let batches = Batches {
            batch: Batch::default(),
            sender,
            is_stopped,
        };
        let errors = read_files(files, batches);
        drop(reading_goes_on);
        errors
    });
    let turn = shared
        .turn
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    let mut reading = turn.reading;
    if turn.result.is_ok() {
        // The reading ends here in any case, whether or not the consumer wants more.
        let _ = reading.end_all();
    }
    reading.end();
    (reading, errors)
}

/// Gives the lines of all files to the threads. Returns the errors of files that could not be read.
fn read_files(files: &[PathBuf], mut batches: Batches) -> Vec<SourceError> {
    let mut lines = Lines::default();
    let mut errors = Vec::new();
    for path in files {
        match batches.file(path, &mut lines) {
            Ok(Ok(())) => {}
            Ok(Err(Stop)) => return errors,
            Err(error) => {
                errors.push(error);
                let ended = lines.end_file(&mut batches).and_then(|_| batches.send());
                if ended.is_err() {
                    return errors;
                }
            }
        }
    }
    let _ = lines.finish(&mut batches).and_then(|()| batches.send());
    errors
}
