//! Diagnostics on standard error: as JSON with the keys of the log's lines (`ts`, `level`, `msg`,
//! `fields`), or as text.

use std::{
    fmt, io,
    os::fd::AsFd as _,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use serde_json::{Map, Value, json};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt as _},
};

use crate::{
    config::{LogLevel, OutputFormat},
    process::outlet::Outlet,
};

/// Maximum wait for room in standard error.
const PATIENCE: Duration = Duration::from_secs(1);

/// Writes each diagnostic as one line.
struct Lines {
    format: OutputFormat,
    /// Standard error; `None` if it is not available.
    outlet: Option<Outlet>,
    /// Lines dropped since the last line that was written.
    dropped: AtomicU64,
}

impl Lines {
    /// Writes a line, or counts it: a full standard error must not block exectrail for long.
    fn write(&self, line: &str) {
        let Some(outlet) = &self.outlet else { return };
        let dropped = self.dropped.load(Ordering::Relaxed);
        // After a dropped line, do not wait again.
        let patience = if dropped == 0 {
            PATIENCE
        } else {
            Duration::ZERO
        };
        match outlet.write_all(line.as_bytes(), patience) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
            Ok(()) => {
                // Another thread may have dropped a line, or reported the dropped lines, meanwhile.
                let dropped = self.dropped.swap(0, Ordering::Relaxed);
                if dropped > 0 {
                    tracing::warn!(
                        lines = dropped,
                        "diagnostics were dropped: standard error had no room"
                    );
                    // If standard error had no room for this warning, the next warning includes the
                    // number.
                    if self.dropped.load(Ordering::Relaxed) > 0 {
                        self.dropped.fetch_add(dropped, Ordering::Relaxed);
                    }
                }
            }
            // If standard error is closed, this cannot be reported.
            Err(_) => {}
        }
    }
}

/// The message and the other fields of a diagnostic.
#[derive(Default)]
struct Fields {
    message: String,
    others: Map<String, Value>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        self.others.insert(field.name().to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        if field.name() == "message" {
            self.message = text;
        } else {
            self.put(field, text.into());
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let level = event.metadata().level();
        let line = match self.format {
            OutputFormat::Json => json_line(*level, fields),
            OutputFormat::Text => text_line(*level, &fields),
        };
        self.write(&line);
    }
}

fn json_line(level: Level, fields: Fields) -> String {
    // The line is built by hand, for the order of the keys.
    let ts = format!("{:.9}", jiff::Timestamp::now());
    format!(
        "{{\"ts\":{},\"level\":{},\"msg\":{},\"fields\":{}}}\n",
        json!(ts),
        json!(level.as_str()),
        json!(fields.message),
        Value::Object(fields.others),
    )
}

fn text_line(level: Level, fields: &Fields) -> String {
    let mut line = format!(
        "exectrail: {}: {}",
        level.as_str().to_lowercase(),
        fields.message
    );
    for (name, value) in &fields.others {
        line.push_str(&format!(" {name}={value}"));
    }
    line.push('\n');
    line
}

impl From<LogLevel> for LevelFilter {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
        }
    }
}

/// Writes diagnostics of `level` and above to standard error. Every panic aborts the process at
/// once: if exectrail works in part, that is worse than a restart.
pub(crate) fn init(level: LogLevel, format: OutputFormat) {
    let stderr = io::stderr().as_fd().try_clone_to_owned();
    let lines = Lines {
        format,
        outlet: stderr.ok().map(Outlet::new),
        dropped: AtomicU64::new(0),
    };
    let lines = lines.with_filter(LevelFilter::from(level));
    // A second call keeps the first subscriber.
    let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(lines));
    std::panic::set_hook(Box::new(|panic| {
        // The text of a panic has two lines, and a diagnostic is one.
        let panic = panic.to_string().replace('\n', " ");
        tracing::error!("internal error, aborting: {panic}");
        std::process::abort();
    }));
}
