//! `cargo xtask screenshots`: the pictures of the report in the documents.
//!
//! The log comes from `exectrail_testbed::working_day`, which invents it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use exectrail_testbed::browser::Browser;
use exectrail_testbed::wait::wait_for;
use exectrail_testbed::working_day;

use crate::setup::{self, For};
use crate::{command, progress, workspace};

/// Where the pictures are, relative to the root.
const DIRECTORY: &str = "docs/images";
/// Maximum size of a picture in bytes.
const LARGEST: usize = 200_000;

/// A picture: its name, the size of the page, whether it is dark, and the actions before it is
/// taken.
struct Picture {
    name: &'static str,
    size: (u32, u32),
    is_dark: bool,
    script: &'static str,
}

/// Chooses an exec of the tree.
const TREE: &str = "
    document.querySelector('#search').value = 'files.example';
    document.querySelector('#search').dispatchEvent(new Event('input'));
    document.querySelector('#tab-1').click();
    const tree = () => document.querySelector('[role=treegrid]');
    while (!tree().textContent.includes('curl -s')) await new Promise((r) => setTimeout(r, 50));
    tree().focus();
    const end = new KeyboardEvent('keydown', { key: 'End', bubbles: true });
    tree().dispatchEvent(end);
    while (!document.querySelector('#argv')) await new Promise((r) => setTimeout(r, 50));
";

const PICTURES: [Picture; 3] = [
    Picture {
        name: "report.png",
        size: (1280, 800),
        is_dark: false,
        script: "",
    },
    Picture {
        name: "report-tree.png",
        size: (1280, 800),
        is_dark: true,
        script: TREE,
    },
    Picture {
        name: "report-narrow.png",
        size: (420, 860),
        is_dark: false,
        script: "",
    },
];

/// `cargo xtask screenshots`.
pub(crate) fn command() -> Result<()> {
    setup::ensure(For {
        tests: true,
        ..For::default()
    })?;
    let directory = tempfile::tempdir().context("cannot create a directory")?;
    let (log, report) = (
        directory.path().join("exectrail.log"),
        directory.path().join("report.html"),
    );
    fs::write(&log, working_day::log()).context("cannot write the log")?;
    let mut run = command::cargo_build_like("run");
    run.args(["-q", "-p", "exectrail-reader", "--", "report", "-o"])
        .args([&report, &log]);
    command::output(&mut run)?;
    for picture in &PICTURES {
        let png = picture.take(&report)?;
        let path = format!("{DIRECTORY}/{}", picture.name);
        ensure!(
            png.len() <= LARGEST,
            "{path} would have {} bytes, and more than {LARGEST} are too many for a document",
            png.len()
        );
        fs::write(workspace::root().join(&path), &png)
            .with_context(|| format!("cannot write {path}"))?;
        progress::note(format_args!("{path}: {} bytes", png.len()));
    }
    Ok(())
}

impl Picture {
    /// Takes the picture, and returns the PNG.
    fn take(&self, report: &Path) -> Result<Vec<u8>> {
        let (width, height) = self.size;
        let mut browser = Browser::start()?;
        browser.show(width, height, self.is_dark)?;
        browser.open(report)?;
        wait_for("the report", || {
            let opened = browser.evaluate("document.body.dataset.opened");
            opened.is_ok_and(|value| value.is_string()).then_some(())
        })?;
        browser.evaluate(&format!("(async () => {{ {} }})()", self.script))?;
        // The browser draws the changes in the next frame.
        browser.evaluate("new Promise((r) => requestAnimationFrame(() => setTimeout(r)))")?;
        Ok(browser.picture()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_picture_is_shown_in_a_document_with_a_text_for_those_who_do_not_see_it() {
        let document = fs::read_to_string(workspace::root().join("docs/report.md")).unwrap();
        for Picture { name, .. } in &PICTURES {
            let (before, _) = document.split_once(&format!("](images/{name})")).unwrap();
            let alternative = before.rsplit("![").next().unwrap();
            assert!(alternative.len() > 40, "{name}: {alternative}");
            let picture = fs::read(workspace::root().join(DIRECTORY).join(name)).unwrap();
            assert!(
                picture.starts_with(b"\x89PNG") && picture.len() <= LARGEST,
                "{name}"
            );
        }
    }
}
