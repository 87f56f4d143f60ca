//! LabelFiles: looks whether label files have changed.
//!
//! Receives [`StopReading`]. Sends Emitter [`Relabel`] with the labels of all further lines. This
//! actor looks at the files once a second, and does not use inotify. The kubelet replaces the files
//! by renaming a link, and not all file systems report a rename to inotify. A file that cannot be
//! used is reported, and its last labels stay.

use std::time::{Duration, Instant};

use actix::{Actor, AsyncContext as _, Context, Handler, Recipient, SpawnHandle};

use super::messages::{Relabel, StopReading};
use crate::{
    labels::LabelReader,
    output::Labels,
    telemetry::{
        events::{LabelFileUnusable, LabelFileUsable},
        line_limit::LineLimit,
    },
};

/// Period of looking at the files.
const LOOK: Duration = Duration::from_secs(1);

/// At most this many failures are logged in [`FAILURE_PERIOD`].
const FAILURE_BURST: u32 = 20;
/// See [`FAILURE_BURST`].
const FAILURE_PERIOD: Duration = Duration::from_secs(600);

/// Looks whether label files have changed.
pub(crate) struct LabelFiles {
    reader: LabelReader,
    /// Maximum length of a line.
    longest_line: usize,
    emitter: Recipient<Relabel>,
    /// The labels of lines, as JSON text.
    written: String,
    /// Files that have changed since the labels were last short enough for a line.
    changed: Vec<String>,
    /// The failure of the last look.
    failure: Option<String>,
    /// The failure that was reported last; `None` once the files can be used again.
    reported: Option<String>,
    /// Whether the diagnostics have a line about a failure, but none yet about the failure's end.
    is_logged: bool,
    reports: LineLimit,
    looking: Option<SpawnHandle>,
}

impl LabelFiles {
    /// Looks at the files of `reader`, whose labels are `written` now, for lines of at most
    /// `longest_line` bytes.
    pub(crate) fn new(
        reader: LabelReader,
        written: String,
        longest_line: usize,
        emitter: Recipient<Relabel>,
    ) -> Self {
        Self {
            reader,
            longest_line,
            emitter,
            written,
            changed: Vec::new(),
            failure: None,
            reported: None,
            is_logged: false,
            reports: LineLimit::new(FAILURE_BURST, FAILURE_PERIOD),
            looking: None,
        }
    }

    fn look(&mut self) {
        let (changed, result) = self.reader.look();
        for file in changed {
            if !self.changed.contains(&file) {
                self.changed.push(file);
            }
        }
        let mut failure = result.err().map(|error| error.to_string());
        if !self.changed.is_empty() {
            match Labels::within(&self.reader.labels(), self.longest_line) {
                Err(error) => {
                    failure.get_or_insert(error.to_string());
                }
                Ok(labels) => {
                    let files = std::mem::take(&mut self.changed);
                    if labels.text() != self.written {
                        labels.text().clone_into(&mut self.written);
                        self.emitter.do_send(Relabel { labels, files });
                    }
                }
            }
        }
        self.report(failure);
    }

    /// Reports a failure that two looks in a row have found, and its end. One look is not enough:
    /// it may find no file while the kubelet replaces the file.
    fn report(&mut self, failure: Option<String>) {
        let last = std::mem::replace(&mut self.failure, failure);
        match &self.failure {
            None => {
                self.reported = None;
                if std::mem::take(&mut self.is_logged) {
                    LabelFileUsable.emit();
                }
            }
            Some(error)
                if last.as_ref() == Some(error) && self.reported.as_ref() != Some(error) =>
            {
                self.reported = Some(error.clone());
                if let Some(not_logged) = self.reports.admit(Instant::now()) {
                    self.is_logged = true;
                    LabelFileUnusable { error, not_logged }.emit();
                }
            }
            Some(_) => {}
        }
    }
}

impl Actor for LabelFiles {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        if self.reader.has_files() {
            self.looking = Some(ctx.run_interval(LOOK, |files, _| files.look()));
        }
    }
}

impl Handler<StopReading> for LabelFiles {
    type Result = ();

    fn handle(&mut self, _: StopReading, ctx: &mut Self::Context) {
        if let Some(looking) = self.looking.take() {
            ctx.cancel_future(looking);
        }
    }
}
