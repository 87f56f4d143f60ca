//! With templates/log-reading/rsyslog.conf, rsyslog passes the longest lines on unchanged.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::machine::{repository, skip};

/// The default of `--max-line-bytes`.
const LINE: usize = 16_000;
/// Number of lines.
const LINES: usize = 200;
/// Without `maxMessageSize`, rsyslog keeps this many bytes of a message (docs/collectors.md).
const KEPT_BY_DEFAULT: usize = 8_096;
/// Maximum time for rsyslog to collect the lines.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running rsyslog. Dropping it ends rsyslog.
struct Rsyslog {
    directory: TempDir,
    process: Child,
}

impl Rsyslog {
    /// Starts rsyslog with the template, except its lines that contain `without`. `None` if rsyslog
    /// is not installed.
    fn start(without: Option<&str>) -> Option<Self> {
        let directory = TempDir::new().unwrap();
        let configuration = repository().join("templates/log-reading/rsyslog.conf");
        let mut text = String::new();
        for line in fs::read_to_string(configuration).unwrap().lines() {
            if without.is_none_or(|without| !line.contains(without)) {
                text += &format!("{line}\n");
            }
        }
        let spool = directory.path().join("spool");
        fs::create_dir(&spool).unwrap();
        let root = directory.path().to_str().unwrap();
        let text = text
            .replace("/var/spool/rsyslog", spool.to_str().unwrap())
            .replace("/var/log/", &format!("{root}/"));
        fs::write(directory.path().join("rsyslog.conf"), text).unwrap();
        fs::write(directory.path().join("exectrail.log"), log()).unwrap();
        let mut command = Command::new("rsyslogd");
        command
            .arg("-n")
            .arg("-f")
            .arg(directory.path().join("rsyslog.conf"));
        command.arg("-i").arg(directory.path().join("pid"));
        let path = std::env::var("PATH").unwrap_or_default();
        let process = command
            .env("PATH", format!("{path}:/usr/sbin"))
            .spawn()
            .ok()?;
        Some(Self { directory, process })
    }

    fn collected(&self) -> PathBuf {
        self.directory.path().join("collected/exectrail.log")
    }

    /// Waits for all lines, and returns them.
    fn lines(&mut self) -> Vec<Vec<u8>> {
        let begin = Instant::now();
        loop {
            let text = fs::read(self.collected()).unwrap_or_default();
            let lines: Vec<_> = text
                .split(|byte| *byte == b'\n')
                .map(<[u8]>::to_vec)
                .collect();
            // After the last line break comes an empty text.
            if lines.len() == LINES + 1 && lines[LINES].is_empty() {
                return lines[..LINES].to_vec();
            }
            let ended = self.process.try_wait().unwrap();
            assert!(ended.is_none(), "rsyslog has ended: {ended:?}");
            assert!(
                begin.elapsed() < PATIENCE,
                "{} lines after {PATIENCE:?}",
                lines.len() - 1
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Rsyslog {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Lines of the maximum length. They contain what collectors may change: escapes, quotes,
/// characters of several bytes, percent signs, and blanks at the ends.
fn log() -> String {
    let line = |number: usize| {
        let begin = format!(
            r#"{{"ts":"2026-11-24T09:00:00.000000001Z","msg":"exec","fields":{{"line":{number},"#
        );
        let begin = begin + r#""run":"r","cmdline":"  \u001b[0m \\ \" %msg% é#012\t<13>"#;
        let end = r#""}} "#;
        let fill = "x".repeat(LINE - 1 - begin.len() - end.len());
        format!("{begin}{fill}{end}\n")
    };
    (0..LINES).map(line).collect()
}

#[test]
fn with_the_template_nothing_is_cut_or_changed() {
    let Some(mut rsyslog) = Rsyslog::start(None) else {
        return skip(
            "rsyslog_cuts_nothing",
            "no rsyslogd: cargo xtask setup --tests",
        );
    };
    let log = log();
    let expected: Vec<&[u8]> = log.lines().map(str::as_bytes).collect();
    assert!(expected.iter().all(|line| line.len() + 1 == LINE));
    assert!(rsyslog.lines() == expected, "lines differ");
    // rsyslog writes messages above its limit to this file.
    assert!(
        !rsyslog
            .directory
            .path()
            .join("exectrail-oversize.log")
            .exists()
    );
}

#[test]
fn with_the_default_limit_lines_are_cut_and_reported() {
    let Some(mut rsyslog) = Rsyslog::start(Some("maxMessageSize")) else {
        return skip("rsyslog_default", "no rsyslogd: cargo xtask setup --tests");
    };
    let log = log();
    for (kept, whole) in rsyslog.lines().iter().zip(log.lines()) {
        assert_eq!(kept, &whole.as_bytes()[..KEPT_BY_DEFAULT]);
    }
    let reported = fs::read_to_string(rsyslog.directory.path().join("exectrail-oversize.log"));
    assert_eq!(reported.unwrap().lines().count(), LINES);
}
