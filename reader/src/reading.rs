//! Reads the records of files for the commands.

use std::{
    io::{self, IsTerminal as _},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;

use crate::{
    long_argv::{LongArgv, LongExec},
    progress::Progress,
    record::Record,
    shown::escaped,
    source::{Line, LineNumber, Sink, Stop, Unreadable, files_of, name_of},
};

/// Maximum number of unreadable lines that are named.
const NAMED: usize = 5;

/// The files to read.
#[derive(Debug, Args)]
pub(crate) struct Files {
    /// The files to read; the files of one log oldest first; - reads standard input
    ///
    /// A directory stands for the files of a container, as the kubelet keeps them.
    #[arg(default_value = "-", value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}

impl Files {
    /// The files. If there are none, writes the reason to standard error.
    pub(crate) fn list(&self, program: &str) -> Option<Vec<PathBuf>> {
        files_of(&self.files)
            .inspect_err(|error| eprintln!("{program}: {error}"))
            .ok()
    }
}

/// While files are followed, longest time between two calls of [`Consumer::pause`].
pub(crate) const PAUSE: Duration = Duration::from_millis(200);

/// Takes records.
pub(crate) trait Consumer {
    /// Takes a record and its line. If the argv continues on further lines, `line` has these too,
    /// with line breaks between them.
    ///
    /// # Errors
    /// If nothing more is wanted.
    fn record(&mut self, record: &Record<'_>, line: &[u8]) -> Result<(), Stop>;

    /// Is called when the consumer has all records so far. The next record may take a while. While
    /// files are followed, this happens every [`PAUSE`] or more often.
    ///
    /// # Errors
    /// If nothing more is wanted.
    fn pause(&mut self) -> Result<(), Stop> {
        Ok(())
    }

    /// Is called when nothing more is read, before faults of the files are written to standard
    /// error.
    fn end(&mut self) {}

    /// Whether the consumer writes to standard output before all files are read.
    fn writes_at_once(&self) -> bool {
        false
    }
}

/// Gives records to a consumer, and counts lines that cannot be read.
pub(crate) struct Reading<'a, C> {
    consumer: &'a mut C,
    progress: Progress,
    /// The name of the file that is being read.
    name: String,
    unreadable: u64,
    /// Whether a line could be read.
    has_record: bool,
    /// Whether a compressed file is damaged.
    is_damaged: bool,
    /// The first unreadable lines.
    named: Vec<String>,
    /// The name of the program, if unreadable lines are named at once.
    at_once: Option<&'a str>,
    long_argv: LongArgv,
}

impl<'a, C: Consumer> Reading<'a, C> {
    /// Begins to read.
    pub(crate) fn new(consumer: &'a mut C) -> Self {
        // On the same terminal, the progress would stand among the consumer's lines.
        let progress = if consumer.writes_at_once() && io::stdout().is_terminal() {
            Progress::hidden()
        } else {
            Progress::new()
        };
        Self {
            consumer,
            progress,
            name: String::new(),
            unreadable: 0,
            has_record: false,
            is_damaged: false,
            named: Vec::new(),
            at_once: None,
            long_argv: LongArgv::default(),
        }
    }

    /// Names unreadable lines at once, because the reading may never end.
    pub(crate) fn naming_at_once(mut self, program: &'a str) -> Self {
        self.at_once = Some(program);
        self
    }

    /// Does not show the number of bytes read.
    pub(crate) fn without_progress(mut self) -> Self {
        self.progress = Progress::hidden();
        self
    }

    /// Sets the name of the file that is being read.
    pub(crate) fn set_name(&mut self, path: &Path) {
        self.name = name_of(path);
    }

    /// Removes the progress from the terminal, and tells the consumer that nothing more is read.
    pub(crate) fn end(&mut self) {
        self.progress.end();
        self.consumer.end();
    }

    /// Reports unreadable lines on standard error. Returns `false` if the files have lines and none
    /// could be read, or if a compressed file is damaged or cut.
    pub(crate) fn report(&self, program: &str) -> bool {
        if self.unreadable == 0 {
            return true;
        }
        eprintln!(
            "{program}: lines that could not be read: {}",
            self.unreadable
        );
        if self.at_once.is_none() {
            for named in &self.named {
                eprintln!("{program}: {named}");
            }
        }
        self.has_record && !self.is_damaged
    }
}

impl<C: Consumer> Reading<'_, C> {
    /// Takes a parsed line.
    pub(crate) fn parsed(
        &mut self,
        number: LineNumber,
        line: &[u8],
        record: serde_json::Result<Record<'_>>,
    ) -> Result<(), Stop> {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                self.unreadable(number, Unreadable::Keys(error.to_string()));
                return Ok(());
            }
        };
        self.has_record = true;
        let event = record.fields.event.as_deref();
        let continues = event.is_some_and(|event| event.argv_continues);
        if continues || !self.long_argv.is_empty() {
            self.long(number, line, &record)
        } else {
            self.consumer.record(&record, line)
        }
    }

    /// Takes a record that begins a long argv, or comes while further lines of one are awaited.
    fn long(&mut self, number: LineNumber, line: &[u8], record: &Record<'_>) -> Result<(), Stop> {
        let run = record.fields.run.as_deref().unwrap_or_default();
        if let Some(mut exec) = self.long_argv.take(run) {
            match exec.add(record, line) {
                Some(true) => return self.await_more(exec),
                Some(false) => return self.end_long(&exec),
                None => self.end_long(&exec)?,
            }
        }
        match LongExec::begin(number, record, line) {
            Some(exec) => self.await_more(exec),
            None => self.consumer.record(record, line),
        }
    }

    fn await_more(&mut self, exec: LongExec) -> Result<(), Stop> {
        let oldest = self.long_argv.put(exec);
        oldest.iter().try_for_each(|exec| self.end_long(exec))
    }

    /// Gives an exec to the consumer, with the lines of its argv that were found.
    fn end_long(&mut self, exec: &LongExec) -> Result<(), Stop> {
        match exec.record() {
            Ok(record) => self.consumer.record(&record, &exec.lines),
            Err(error) => {
                self.unreadable(exec.number, Unreadable::Keys(error.to_string()));
                Ok(())
            }
        }
    }

    /// Gives the consumer the execs whose further lines are missing.
    pub(crate) fn end_all(&mut self) -> Result<(), Stop> {
        while let Some(exec) = self.long_argv.take_first() {
            self.end_long(&exec)?;
        }
        Ok(())
    }
}

impl<C: Consumer> Sink for Reading<'_, C> {
    fn line(&mut self, line: Line<'_>) -> Result<(), Stop> {
        self.parsed(line.number, line.bytes, Record::read(line.bytes))
    }

    fn unreadable(&mut self, number: LineNumber, why: Unreadable) {
        self.unreadable += 1;
        self.is_damaged |= matches!(why, Unreadable::Compressed(_));
        if self.named.len() < NAMED {
            let why = escaped(&why.to_string());
            let named = format!("{}, line {number}: {why}", self.name);
            if let Some(program) = self.at_once {
                eprintln!("{program}: {named}");
            }
            self.named.push(named);
        }
    }

    fn pause(&mut self, bytes: usize) -> Result<(), Stop> {
        self.progress.add(bytes);
        self.consumer.pause()
    }
}
