//! The messages to the host, through a serial port.

use std::{
    fs::{File, OpenOptions},
    io::Write as _,
    sync::Mutex,
    time::Instant,
};

use anyhow::{Context, Result};
use exectrail_vm_tests::{Message, REPORT_TTY};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

/// Sends messages to the host.
pub(crate) struct Report {
    port: Mutex<Port>,
}

struct Port {
    file: File,
    /// Time of the last message.
    used: Instant,
}

impl Report {
    /// Opens the port, and sets it to pass bytes unchanged.
    pub(crate) fn open() -> Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(REPORT_TTY)
            .with_context(|| format!("cannot open {REPORT_TTY}"))?;
        let mut settings = tcgetattr(&file)?;
        settings.make_raw();
        tcsetattr(&file, OptionalActions::Now, &settings)?;
        Ok(Self {
            port: Mutex::new(Port {
                file,
                used: Instant::now(),
            }),
        })
    }

    /// Sends a message. A failure to send it is printed on the console, because there is no other
    /// connection to the host.
    pub(crate) fn say(&self, message: &Message) {
        let output = serde_json::to_vec(message).map(|mut json| {
            json.push(b'\n');
            json
        });
        let written = output.map_err(anyhow::Error::from).and_then(|json| {
            let mut port = self.port.lock().map_err(|_| anyhow::anyhow!("poisoned"))?;
            port.used = Instant::now();
            Ok(port.file.write_all(&json)?)
        });
        if let Err(error) = written {
            eprintln!("cannot report {message:?}: {error:#}");
        }
    }

    /// Time of the last message.
    pub(crate) fn used(&self) -> Instant {
        self.port
            .lock()
            .map_or_else(|poisoned| poisoned.into_inner().used, |port| port.used)
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
