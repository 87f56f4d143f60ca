//! Opens a report in a browser.

use std::{fs, path::Path, process::Command};

use exectrail_testbed::{
    browser::{Browser, is_installed},
    wait::wait_for,
};
use serde_json::Value;
use tempfile::TempDir;

/// An open report.
pub(crate) struct Page {
    pub(crate) browser: Browser,
    _directory: TempDir,
}

/// Writes the report of a log.
pub(crate) fn report(directory: &Path, log: &str) -> std::path::PathBuf {
    let (input, output) = (directory.join("exec.log"), directory.join("report.html"));
    fs::write(&input, log).unwrap();
    let written = Command::new(env!("CARGO_BIN_EXE_exectrail-log"))
        .arg("report")
        .arg("-o")
        .args([&output, &input])
        .output()
        .unwrap();
    assert!(written.status.success(), "{written:?}");
    output
}

impl Page {
    /// Opens the report of a log. If no browser is installed, reports this and returns `None`.
    pub(crate) fn of(test: &str, log: &str) -> Option<Self> {
        if !is_installed() {
            skip(test, "no chromium");
            return None;
        }
        let directory = TempDir::new().unwrap();
        let file = report(directory.path(), log);
        let mut browser = Browser::start().unwrap();
        browser.show(1280, 860, false).unwrap();
        browser.open(&file).unwrap();
        let mut page = Self {
            browser,
            _directory: directory,
        };
        page.wait("document.body?.dataset.opened ?? document.querySelector('#fault').textContent");
        Some(page)
    }

    /// The value of a JavaScript expression.
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        self.browser.evaluate(expression).unwrap()
    }

    /// The text of the first element that matches a selector.
    pub(crate) fn text(&mut self, selector: &str) -> String {
        let expression = format!("document.querySelector({selector:?}).textContent");
        self.value(&expression).as_str().unwrap().to_owned()
    }

    /// Waits until an expression is true. Returns its value.
    pub(crate) fn wait(&mut self, expression: &str) -> Value {
        // The page may not be loaded yet.
        wait_for(expression, || {
            let value = self.browser.evaluate(expression).ok()?;
            let is_false =
                matches!(&value, Value::Null | Value::Bool(false)) || value == "" || value == 0;
            (!is_false).then_some(value)
        })
        .unwrap()
    }

    /// Waits until an element contains a text.
    pub(crate) fn wait_text(&mut self, selector: &str, text: &str) {
        self.wait(&format!(
            "document.querySelector({selector:?})?.textContent.includes({text:?})"
        ));
    }

    /// Clicks on the first element that matches a selector, with the mouse.
    pub(crate) fn click(&mut self, selector: &str) {
        let place = self.value(&format!(
            "(({{x, y, width, height}}) => [x + width / 2, y + height / 2])\
             (document.querySelector({selector:?}).getBoundingClientRect())"
        ));
        let at = |axis: usize| place[axis].as_f64().unwrap();
        self.browser.click(at(0), at(1)).unwrap();
    }

    /// Presses keys.
    pub(crate) fn press(&mut self, keys: &[&str]) {
        for key in keys {
            self.browser.press(key).unwrap();
        }
    }

    /// Ends the test. Checks that only the file was requested, and that no error, console output or
    /// dialog occurred.
    pub(crate) fn end(mut self) {
        assert_eq!(self.text("#fault"), "");
        for event in self.browser.events() {
            let method = event["method"].as_str().unwrap_or_default();
            assert_ne!(method, "Runtime.exceptionThrown", "{event}");
            assert_ne!(method, "Runtime.consoleAPICalled", "{event}");
            assert_ne!(method, "Log.entryAdded", "{event}");
            assert_ne!(method, "Page.javascriptDialogOpening", "{event}");
            if method == "Network.requestWillBeSent" {
                let url = event["params"]["request"]["url"].as_str().unwrap();
                assert!(
                    url.starts_with("file:///") && url.ends_with("/report.html"),
                    "{event}"
                );
            }
        }
    }
}

/// Reports that a test cannot run here.
fn skip(test: &str, reason: &str) {
    exectrail_testbed::skip::skip(test, reason).unwrap();
}

/// Opens the report of a log. Returns from the test if no browser is installed.
macro_rules! open {
    ($log:expr) => {
        match $crate::page::Page::of(concat!(module_path!(), ":", line!()), $log) {
            Some(page) => page,
            None => return,
        }
    };
}
pub(crate) use open;
