//! The report as text for people, and in the formats of other programs.

use std::fmt::Write as _;

use clap::ValueEnum;
use serde::Serialize;

use crate::field_report::Field;
use crate::report::{Check, Report, Verdict};

/// Format of the report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Text,
    /// For programs: the whole report; docs/preflight.schema.json describes it
    Json,
    /// For node-problem-detector, as a custom plugin: one line of at most 80 characters
    Npd,
    /// For node-feature-discovery: a feature file, one label per line
    Nfd,
}

/// Verbosity and color of the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// Whether to color the verdicts, with ANSI escapes.
    pub color: bool,
    /// Whether to show the evidence of fine checks, too.
    pub verbose: bool,
}

/// Version of the JSON schema; increased if a reader of the old schema would misread the new one.
const SCHEMA_VERSION: u32 = 1;

/// Maximum number of characters of a line for node-problem-detector: `max_output_length` in its
/// configuration in `templates/node-check`.
const NPD_WIDTH: usize = 80;

/// Namespace of the labels. node-feature-discovery accepts sub-domains of its own domain without
/// further configuration.
const NFD_NAMESPACE: &str = "exectrail.feature.node.kubernetes.io";

impl Report {
    /// The report in this format; it ends with a line break. Text has no color.
    pub fn format(&self, format: Format) -> String {
        match format {
            Format::Text => self.text(Text::default()),
            Format::Json => self.json(),
            Format::Npd => self.npd(),
            Format::Nfd => self.nfd(),
        }
    }

    /// The report as text for people.
    pub fn text(&self, how: Text) -> String {
        let paint = |code: &str, text: &str| match how.color {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_owned(),
        };
        let mut out = String::new();
        for check in &self.checks {
            let (code, word) = match check.verdict {
                Verdict::Ok => ("32", "ok"),
                Verdict::Unmet => ("1;31", "unmet"),
                Verdict::Unknown => ("33", "unknown"),
                Verdict::NotApplicable => ("2", "-"),
            };
            // The word is padded before it is colored: padding would count the escapes as
            // characters.
            let verdict = paint(code, &format!("{word:<7}"));
            let _ = writeln!(out, "{verdict}  {:<14}  {}", check.id, check.summary);
            // A check with the verdict ok can have a remedy, too.
            let fine = matches!(check.verdict, Verdict::Ok | Verdict::NotApplicable);
            if how.verbose || !fine || check.remedy.is_some() {
                for evidence in &check.evidence {
                    let line = format!("{}: {}", evidence.source, evidence.value);
                    let _ = writeln!(out, "{:25}{}", "", paint("2", &line));
                }
                if let Some(remedy) = &check.remedy {
                    let _ = writeln!(out, "{:25}{} {remedy}", "", paint("1;36", "help:"));
                }
            }
        }
        let conclusion = match self.verdict() {
            Verdict::Unmet => {
                let names = names(self.unmet());
                paint(
                    "1;31",
                    &format!("exectrail cannot trace here: {}", names.join(", ")),
                )
            }
            Verdict::Unknown => {
                let names = names(self.unknown());
                paint(
                    "33",
                    &format!(
                        "exectrail may be able to trace here; not known: {}",
                        names.join(", ")
                    ),
                )
            }
            _ => paint("32", "exectrail can trace here"),
        };
        let _ = writeln!(out, "\n{conclusion}");
        out
    }

    fn json(&self) -> String {
        #[derive(Serialize)]
        struct Json<'a> {
            schema_version: u32,
            exectrail_version: &'static str,
            verdict: Verdict,
            checks: &'a [Check],
            offsets: &'a [Field],
        }
        let json = Json {
            schema_version: SCHEMA_VERSION,
            exectrail_version: env!("CARGO_PKG_VERSION"),
            verdict: self.verdict(),
            checks: &self.checks,
            offsets: self.fields(),
        };
        // This cannot fail: it has only strings, numbers and enum variants.
        let mut text = serde_json::to_string_pretty(&json).unwrap_or_default();
        text.push('\n');
        text
    }

    fn npd(&self) -> String {
        let (words, names) = match self.verdict() {
            Verdict::Unmet => ("exectrail cannot trace: ", names(self.unmet())),
            Verdict::Unknown => ("exectrail: not known: ", names(self.unknown())),
            _ => ("exectrail can trace", Vec::new()),
        };
        let mut line = words.to_owned();
        for (index, name) in names.iter().enumerate() {
            let rest = names.len() - index;
            let comma = if index == 0 { "" } else { ", " };
            let more = format!("{comma}and {rest} more");
            let reserve = if rest == 1 { 0 } else { ", and 99 more".len() };
            if line.len() + comma.len() + name.len() + reserve > NPD_WIDTH {
                line.push_str(&more);
                break;
            }
            line.push_str(comma);
            line.push_str(name);
        }
        line.push('\n');
        line
    }

    fn nfd(&self) -> String {
        let fit = match self.verdict() {
            Verdict::Unmet => "false",
            Verdict::Unknown => "unknown",
            _ => "true",
        };
        let mut out = format!("{NFD_NAMESPACE}/fit={fit}\n");
        for check in &self.checks {
            let _ = writeln!(out, "{NFD_NAMESPACE}/{}={}", check.id, check.verdict);
        }
        out
    }

    fn unknown(&self) -> impl Iterator<Item = &Check> {
        self.checks
            .iter()
            .filter(|check| check.verdict == Verdict::Unknown)
    }
}

fn names<'a>(checks: impl Iterator<Item = &'a Check>) -> Vec<&'static str> {
    checks.map(|check| check.id.as_str()).collect()
}
