//! Lines of a log: read while they are written, waited for, and searched.

use std::{
    io::{BufRead as _, BufReader, Read},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Instant,
};

use anyhow::{Result, bail};
use serde_json::Value;

use crate::machine::container::PATIENCE;

/// The lines of one stream, each JSON.
#[derive(Clone)]
pub(crate) struct Lines {
    shared: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Default)]
struct State {
    lines: Vec<Value>,
    ended: bool,
}

impl Lines {
    /// Reads `stream` to its end, in a separate thread.
    pub(crate) fn read(stream: impl Read + Send + 'static) -> Self {
        let lines = Self {
            shared: Arc::default(),
        };
        let reading = lines.clone();
        thread::spawn(move || {
            for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
                let text = String::from_utf8_lossy(&line).into_owned();
                let value = serde_json::from_str(&text).unwrap_or(Value::String(text));
                reading.state().lines.push(value);
                reading.shared.1.notify_all();
            }
            reading.state().ended = true;
            reading.shared.1.notify_all();
        });
        lines
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All lines so far.
    pub(crate) fn all(&self) -> Vec<Value> {
        self.state().lines.clone()
    }

    /// Waits for a line; it may already be there.
    pub(crate) fn wait_for(
        &self,
        what: &str,
        mut wanted: impl FnMut(&Value) -> bool,
    ) -> Result<Value> {
        let since = Instant::now();
        let mut seen = 0;
        let mut state = self.state();
        loop {
            while let Some(line) = state.lines.get(seen) {
                if wanted(line) {
                    return Ok(line.clone());
                }
                seen += 1;
            }
            let left = PATIENCE.saturating_sub(since.elapsed());
            if state.ended || left.is_zero() {
                let lines = &state.lines[state.lines.len().saturating_sub(8)..];
                let last: Vec<String> = lines.iter().map(|line| shortened(line, 3000)).collect();
                bail!("no line {what}; the last ones are:\n{}", last.join("\n"));
            }
            state = self
                .shared
                .1
                .wait_timeout(state, left)
                .map_or_else(|error| error.into_inner().0, |(state, _)| state);
        }
    }

    /// Waits for the end of the stream.
    pub(crate) fn wait_for_end(&self) -> Result<Vec<Value>> {
        let since = Instant::now();
        let mut state = self.state();
        while !state.ended {
            let left = PATIENCE.saturating_sub(since.elapsed());
            if left.is_zero() {
                bail!("the stream does not end");
            }
            state = self
                .shared
                .1
                .wait_timeout(state, left)
                .map_or_else(|error| error.into_inner().0, |(state, _)| state);
        }
        Ok(state.lines.clone())
    }
}

/// The start and the end of a line's text: refusals have a verifier's log, whose end has the
/// reason.
pub(crate) fn shortened(line: &Value, limit: usize) -> String {
    let text: Vec<char> = line.to_string().chars().collect();
    if text.len() <= limit {
        return text.into_iter().collect();
    }
    let half = limit / 2;
    let start: String = text[..half].iter().collect();
    let end: String = text[text.len() - half..].iter().collect();
    format!("{start} […] {end}")
}

/// The `msg` of a line.
pub(crate) fn msg(line: &Value) -> &str {
    line["msg"].as_str().unwrap_or_default()
}

/// The events of exec lines.
pub(crate) fn execs(lines: &[Value]) -> Vec<Value> {
    lines
        .iter()
        .filter(|line| msg(line) == "exec")
        .map(|line| line["fields"]["event"].clone())
        .collect()
}

/// An event's argv.
pub(crate) fn argv(event: &Value) -> Vec<String> {
    event["argv"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|argument| argument.as_str().unwrap_or_default().to_owned())
        .collect()
}
