//! Decides which lines are wanted.

mod args;
mod descendants;
mod moment;
mod under;

use std::path::PathBuf;

use crate::{
    labels::Labels,
    record::{Event, Record},
    shown::escaped,
};

pub(crate) use args::FilterArgs;
use descendants::Descendants;
pub(crate) use moment::time;
use under::Under;

/// Chooses lines by the flags.
#[derive(Debug)]
pub(crate) struct Filter {
    args: FilterArgs,
    under: Option<Family>,
    text: String,
    /// Whether an event was wanted so far.
    has_matched: bool,
    /// The earliest and the latest time of the lines before the first wanted event.
    times: Option<(String, String)>,
}

/// The chosen process and its descendants.
#[derive(Debug)]
enum Family {
    /// Found in all lines.
    Whole(Descendants),
    /// Found in the lines so far.
    SoFar(Under),
}

impl Filter {
    /// The filter for files that grow while they are read.
    pub(crate) fn live(args: FilterArgs) -> Self {
        let under = args.under.map(Under::new).map(Family::SoFar);
        Self::new(args, under)
    }

    /// The filter for files that are read to their end. To find descendants, it first reads the
    /// files once, if they can be read twice.
    pub(crate) fn of(program: &str, args: FilterArgs, files: &[PathBuf]) -> Self {
        let Some(pid) = args
            .under
            .filter(|_| files.iter().all(|file| file.is_file()))
        else {
            return Self::live(args);
        };
        let descendants = Descendants::find(pid, &args, files);
        if descendants.possible > 0 {
            let count = descendants.possible;
            eprintln!(
                "{program}: processes that may be descendants of {pid}, and are not shown: \
                 {count}; each is in the session of a descendant, but its parent has no exec in \
                 the log"
            );
        }
        Self::new(args, Some(Family::Whole(descendants)))
    }

    fn new(args: FilterArgs, under: Option<Family>) -> Self {
        Self {
            args,
            under,
            text: String::new(),
            has_matched: false,
            times: None,
        }
    }

    /// If the filters have chosen no event, says so on standard error, with the period of the log.
    pub(crate) fn report(&self, program: &str) {
        let filters = self.args.text();
        if let Some((first, last)) = &self.times
            && !self.has_matched
            && !filters.is_empty()
        {
            let [filters, first, last] = [&filters, first, last].map(|text| escaped(text));
            eprintln!(
                "{program}: no event of the log, which is from {first} to {last}, matches \
                 {filters}"
            );
        }
    }

    fn note_time(&mut self, ts: &str) {
        match &mut self.times {
            None => self.times = Some((ts.to_owned(), ts.to_owned())),
            Some((first, _)) if ts < first.as_str() => ts.clone_into(first),
            Some((_, last)) if ts > last.as_str() => ts.clone_into(last),
            Some(_) => {}
        }
    }

    /// Whether the flags name this kind of line.
    pub(crate) fn names(&self, msg: &str) -> bool {
        self.args.msg.iter().any(|name| name == msg)
    }

    /// Whether flags choose processes. Then lines without a process are not wanted, except `lost`
    /// and `suppressed`, whose events may match.
    fn chooses_processes(&self) -> bool {
        let args = &self.args;
        !args.exe.is_empty() || args.argv.is_some() || args.under.is_some() || args.entered
    }

    /// Whether a line belongs to the chosen users, workspaces and runs. Its time and kind do not
    /// matter.
    pub(crate) fn is_in_scope(&mut self, record: &Record<'_>, labels: &Labels) -> bool {
        if !self.has_matched {
            self.note_time(&record.ts);
        }
        self.args.is_in_scope(record, labels)
    }

    /// Whether a line is in the chosen period. A line about an earlier period, such as `lost`, is
    /// in the chosen period if the two periods overlap.
    pub(crate) fn is_in_period(&self, record: &Record<'_>) -> bool {
        let begin = record.fields.since.as_deref().unwrap_or(&record.ts);
        self.overlaps(begin, &record.ts)
    }

    /// The chosen period: its first time, and the first time after it.
    pub(crate) fn period(&self) -> (Option<&str>, Option<&str>) {
        let FilterArgs { since, until, .. } = &self.args;
        let [since, until] = [since, until].map(|time| time.as_ref().map(|time| time.text()));
        (since, until)
    }

    /// The filters as text; empty if there are none.
    pub(crate) fn text(&self) -> String {
        self.args.text()
    }

    /// Whether a period overlaps with the chosen one. If `begin` is empty, the period has no
    /// beginning.
    pub(crate) fn overlaps(&self, begin: &str, end: &str) -> bool {
        let args = &self.args;
        // Texts of times can be compared, because all times have the same form.
        args.since.as_ref().is_none_or(|since| end >= since.text())
            && args.until.as_ref().is_none_or(|until| begin < until.text())
    }

    /// Whether a line is wanted. The caller must give all lines in their order, because the filter
    /// finds descendants in them.
    pub(crate) fn wants(&mut self, record: &Record<'_>, labels: &Labels) -> bool {
        let is_wanted = self.chooses(record, labels);
        self.has_matched |= is_wanted && record.fields.event.is_some();
        is_wanted
    }

    fn chooses(&mut self, record: &Record<'_>, labels: &Labels) -> bool {
        if !self.is_in_scope(record, labels) {
            return false;
        }
        let event = record.fields.event.as_deref();
        let is_under = match (&mut self.under, event) {
            (Some(Family::Whole(descendants)), Some(event)) => descendants.has(event),
            (Some(Family::SoFar(under)), Some(event)) => under.has(event),
            _ => true,
        };
        let has_kind = self.args.msg.is_empty() || self.names(&record.msg);
        if !has_kind || !is_under || !self.is_in_period(record) {
            return false;
        }
        match event {
            Some(event) => self.has_process(event),
            None => !self.chooses_processes() || matches!(&*record.msg, "lost" | "suppressed"),
        }
    }

    fn has_process(&mut self, event: &Event<'_>) -> bool {
        let args = &self.args;
        if args.entered && !event.entered {
            return false;
        }
        let names = [event.exe.as_deref(), event.filename.as_deref()];
        let is_named = |program: &String| {
            names
                .into_iter()
                .flatten()
                .any(|name| is_program(name, program))
        };
        if !args.exe.is_empty() && !args.exe.iter().any(is_named) {
            return false;
        }
        let Some(regex) = &args.argv else {
            return true;
        };
        self.text.clear();
        event.push_argv(&mut self.text);
        event.argv.is_some() && regex.is_match(&self.text)
    }
}

/// Whether a path names the program. A program without a slash is compared with the last component
/// only.
fn is_program(path: &str, program: &str) -> bool {
    if program.contains('/') {
        return path == program;
    }
    path.rsplit('/').next() == Some(program)
}
