//! The line to the host.

use std::{
    fs::{File, OpenOptions},
    io::Write as _,
    sync::Mutex,
};

use anyhow::{Context, Result};
use exectrail_vm_tests::{Message, REPORT_TTY};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

/// See the module.
pub(crate) struct Report {
    line: Mutex<File>,
}

impl Report {
    /// Opens the port, and has it pass bytes as they are.
    pub(crate) fn open() -> Result<Self> {
        let line = OpenOptions::new()
            .read(true)
            .write(true)
            .open(REPORT_TTY)
            .with_context(|| format!("cannot open {REPORT_TTY}"))?;
        let mut settings = tcgetattr(&line)?;
        settings.make_raw();
        tcsetattr(&line, OptionalActions::Now, &settings)?;
        Ok(Self {
            line: Mutex::new(line),
        })
    }

    /// Reports. Without the line there is nobody to tell of a failure but the console.
    pub(crate) fn say(&self, message: &Message) {
        let said = serde_json::to_vec(message).map(|mut json| {
            json.push(b'\n');
            json
        });
        let written = said.map_err(anyhow::Error::from).and_then(|json| {
            let mut line = self.line.lock().map_err(|_| anyhow::anyhow!("poisoned"))?;
            Ok(line.write_all(&json)?)
        });
        if let Err(error) = written {
            eprintln!("cannot report {message:?}: {error:#}");
        }
    }

    /// Reports a figure.
    pub(crate) fn figure(&self, name: impl Into<String>, value: u64, unit: &str) {
        self.say(&Message::Figure {
            name: name.into(),
            value,
            unit: unit.into(),
        });
    }
}
