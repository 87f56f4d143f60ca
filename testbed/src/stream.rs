//! Reads the lines of a stream, such as a sidecar's standard output, while they are written, and
//! waits for lines.

use std::{
    io::{BufRead as _, BufReader, Read},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Instant,
};

use serde_json::Value;

use crate::{Error, Result, log::shortened, long_argv::LongArgv, wait::PATIENCE};

/// The lines of one stream, each JSON. A line that is not JSON is kept as a string. An argv that
/// continues on further lines is joined.
#[derive(Clone)]
pub struct Lines {
    shared: Arc<(Mutex<LinesSoFar>, Condvar)>,
}

#[derive(Default)]
struct LinesSoFar {
    lines: Vec<Value>,
    ended: bool,
}

impl Lines {
    /// Reads `stream` to its end, in a separate thread.
    pub fn read(stream: impl Read + Send + 'static) -> Self {
        let lines = Self {
            shared: Arc::default(),
        };
        let reading = lines.clone();
        thread::spawn(move || {
            let mut long_argv = LongArgv::default();
            for line in BufReader::new(stream)
                .split(b'\n')
                .map_while(std::result::Result::ok)
            {
                let text = String::from_utf8_lossy(&line).into_owned();
                let value = serde_json::from_str(&text).unwrap_or(Value::String(text));
                let Some(value) = long_argv.next(value) else {
                    continue;
                };
                reading.so_far().lines.push(value);
                reading.shared.1.notify_all();
            }
            reading.so_far().ended = true;
            reading.shared.1.notify_all();
        });
        lines
    }

    fn so_far(&self) -> MutexGuard<'_, LinesSoFar> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All lines so far.
    pub fn all(&self) -> Vec<Value> {
        self.so_far().lines.clone()
    }

    /// Waits for a line; it may already be there. `what` continues the error "no line".
    pub fn wait_for(&self, what: &str, mut wanted: impl FnMut(&Value) -> bool) -> Result<Value> {
        let mut seen = 0;
        self.wait(what, |so_far| {
            while let Some(line) = so_far.lines.get(seen) {
                if wanted(line) {
                    return Some(Ok(line.clone()));
                }
                seen += 1;
            }
            so_far.ended.then(|| Err(so_far.lacks(what)))
        })?
    }

    /// Waits for the end of the stream.
    pub fn wait_for_end(&self) -> Result<Vec<Value>> {
        self.wait("that is the last", |so_far| {
            so_far.ended.then(|| so_far.lines.clone())
        })
    }

    fn wait<T>(
        &self,
        what: &str,
        mut condition: impl FnMut(&LinesSoFar) -> Option<T>,
    ) -> Result<T> {
        let since = Instant::now();
        let mut so_far = self.so_far();
        loop {
            if let Some(value) = condition(&so_far) {
                return Ok(value);
            }
            let left = PATIENCE.saturating_sub(since.elapsed());
            if left.is_zero() {
                return Err(so_far.lacks(what));
            }
            so_far = self
                .shared
                .1
                .wait_timeout(so_far, left)
                .map_or_else(|error| error.into_inner().0, |(so_far, _)| so_far);
        }
    }
}

impl LinesSoFar {
    fn lacks(&self, what: &str) -> Error {
        let last = &self.lines[self.lines.len().saturating_sub(8)..];
        let last: Vec<String> = last.iter().map(|line| shortened(line, 3000)).collect();
        Error::NoLine {
            what: what.to_owned(),
            last: last.join("\n"),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::log::msg;

    #[test]
    fn a_stream_that_ends_without_the_line_says_what_it_had() {
        let lines = Lines::read(&b"{\"msg\":\"first\"}\nno JSON\n"[..]);
        let first = lines.wait_for("of the start", |line| msg(line) == "first");
        assert_eq!(msg(&first.unwrap()), "first");
        let error = lines.wait_for("of the end", |line| msg(line) == "end");
        let error = error.unwrap_err().to_string();
        assert!(error.contains("no line of the end"), "{error}");
        assert!(error.contains("no JSON"), "{error}");
        assert_eq!(lines.wait_for_end().unwrap().len(), 2);
    }
}
