//! The meaning of a line, which all formats share.

use std::collections::HashMap;

use crate::{
    argv::Argv,
    labels::Labels,
    record::{Event, Record},
    time::microseconds,
};

/// Maximum number of runs whose [`RunOrigin`] is remembered.
const RUNS: usize = 10_000;

/// What a run's first line states about its node, boot and version of exectrail.
#[derive(Debug, Default)]
pub(super) struct RunOrigin {
    pub(super) boot_id: Option<String>,
    pub(super) node: Option<String>,
    pub(super) version: Option<String>,
}

/// The origins of runs, by run id.
#[derive(Debug, Default)]
pub(super) struct RunOrigins(HashMap<String, RunOrigin>);

impl RunOrigins {
    /// Takes any line, and remembers the origin that a first line states.
    pub(super) fn line(&mut self, record: &Record<'_>) {
        let fields = &record.fields;
        if *record.msg != *"tracing_started" {
            return;
        }
        let Some(run) = fields.run.as_deref() else {
            return;
        };
        if self.0.len() >= RUNS {
            self.0.clear();
        }
        let text = |text: &Option<crate::record::Text<'_>>| text.as_deref().map(str::to_owned);
        let origin = RunOrigin {
            boot_id: text(&fields.boot_id),
            node: text(&fields.node),
            version: text(&fields.version),
        };
        self.0.insert(run.to_owned(), origin);
    }
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Exec,
    FailedExec,
    Exit,
    Lost,
    Suppressed,
}

/// A line to convert.
pub(super) struct Converted<'a> {
    pub(super) kind: Kind,
    pub(super) record: &'a Record<'a>,
    /// `None` for `lost` and `suppressed`.
    pub(super) event: Option<&'a Event<'a>>,
    pub(super) labels: &'a Labels,
    pub(super) origin: Option<&'a RunOrigin>,
    pub(super) argv: Argv<'a>,
}

impl<'a> Converted<'a> {
    /// The meaning of a line; `None` if lines of its kind are not converted.
    pub(super) fn of(
        record: &'a Record<'a>,
        labels: &'a Labels,
        lines: &[u8],
        origins: &'a RunOrigins,
    ) -> Option<Self> {
        let event = record.fields.event.as_deref();
        let kind = match (&*record.msg, event) {
            ("exec", Some(_)) => Kind::Exec,
            ("exec_failed", Some(_)) => Kind::FailedExec,
            ("exit", Some(_)) => Kind::Exit,
            ("lost", _) => Kind::Lost,
            ("suppressed", _) => Kind::Suppressed,
            _ => return None,
        };
        let run = record.fields.run.as_deref();
        Some(Self {
            kind,
            record,
            event,
            labels,
            origin: run.and_then(|run| origins.0.get(run)),
            argv: Argv::of(record, lines),
        })
    }

    /// An id of a process: the boot id (if the log has it), the process id, and the start. With the
    /// boot id, the id is unique across all nodes and boots.
    pub(super) fn entity(&self, pid: Option<u64>, start: Option<u64>) -> Option<String> {
        let (pid, start) = (pid?, start.filter(|start| *start > 0)?);
        let boot = self.origin.and_then(|origin| origin.boot_id.as_deref());
        Some(match boot {
            Some(boot) => format!("{boot}.{pid}.{start}"),
            None => format!("{pid}.{start}"),
        })
    }

    pub(super) fn command_line(&self) -> Option<String> {
        if self.kind != Kind::Exec {
            return None;
        }
        // If the exec has several lines, its command line is cut.
        let cmdline = self.record.fields.cmdline.as_deref();
        let cmdline = cmdline.filter(|_| self.argv.is_cmdline_the_text());
        Some(cmdline.map_or_else(|| self.argv.text(), str::to_owned))
    }

    /// The event as a short text.
    pub(super) fn message(&self) -> String {
        let fields = &self.record.fields;
        let none = Event::default();
        let event = self.event.unwrap_or(&none);
        let count = || {
            let of = fields.events().or(fields.of.as_deref()).unwrap_or_default();
            format!("{} {of}", fields.count.unwrap_or(0))
        };
        match self.kind {
            Kind::Exec => self.command_line().unwrap_or_default(),
            Kind::FailedExec => format!(
                "exec of {} failed: {}",
                event.filename.as_deref().unwrap_or("?"),
                event.error.as_deref().unwrap_or("?")
            ),
            Kind::Exit => match (event.status, event.signal) {
                (None, Some(signal)) => format!("ended by signal {signal}"),
                (status, _) => format!("exit {}", status.unwrap_or(0)),
            },
            Kind::Lost => format!("{} were lost and have no line", count()),
            Kind::Suppressed => format!("{} were suppressed and have no line", count()),
        }
    }

    /// The time in microseconds since 1970.
    pub(super) fn time(&self) -> i64 {
        microseconds(&self.record.ts).unwrap_or(0)
    }

    /// The period of lost or suppressed events, in microseconds since 1970.
    pub(super) fn period(&self) -> (i64, i64) {
        let fields = &self.record.fields;
        let time = |text: &Option<crate::record::Text<'_>>| {
            text.as_deref()
                .and_then(microseconds)
                .unwrap_or(self.time())
        };
        let (since, until) = (time(&fields.since), time(&fields.until));
        (since.min(until), since.max(until))
    }
}

/// The last component of a path.
pub(super) fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// A JSON object that contains only known values.
#[derive(Default)]
pub(super) struct Object(serde_json::Map<String, serde_json::Value>);

impl Object {
    /// Adds a value, unless it is null, or an empty object or list.
    pub(super) fn with(mut self, key: &str, value: impl Into<serde_json::Value>) -> Self {
        let value = value.into();
        let is_empty = match &value {
            serde_json::Value::Null => true,
            serde_json::Value::Object(object) => object.is_empty(),
            serde_json::Value::Array(array) => array.is_empty(),
            _ => false,
        };
        if !is_empty {
            self.0.insert(key.to_owned(), value);
        }
        self
    }
}

impl From<Object> for serde_json::Value {
    fn from(object: Object) -> Self {
        Self::Object(object.0)
    }
}
