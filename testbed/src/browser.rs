//! A browser without a window: Debian's Chromium, over the DevTools protocol.
//!
//! The protocol runs over pipes (`--remote-debugging-pipe`), so there is no port that others can
//! reach.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    Error, Result,
    wait::{PATIENCE, wait_for},
};

/// The program.
const PROGRAM: &str = "chromium";

/// Whether the browser is installed.
pub fn is_installed() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(PROGRAM).exists())
}

/// A browser with one page.
#[derive(Debug)]
pub struct Browser {
    child: Child,
    input: ChildStdin,
    messages: Receiver<Value>,
    next: u64,
    session: Option<String>,
    events: Vec<Value>,
    /// Removed with the browser.
    _profile: TempDir,
}

impl Browser {
    /// Starts the browser with an empty page.
    ///
    /// # Errors
    /// If the browser is not installed, or does not answer.
    pub fn start() -> Result<Self> {
        let profile = TempDir::new().map_err(Error::file("create", std::env::temp_dir()))?;
        // The protocol is on the descriptors 3 and 4.
        let script = format!("exec {PROGRAM} \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1");
        let user_data = format!("--user-data-dir={}", profile.path().display());
        let mut child = Command::new("sh")
            .args(["-c", &script, PROGRAM, "--headless=new", "--disable-gpu"])
            // The browser's sandbox needs a user other than root. The browser shows only files that
            // this repository's programs make.
            .args(["--no-sandbox", "--remote-debugging-pipe", "--lang=en-US"])
            .args(["--no-first-run", "--disable-background-networking"])
            .args([user_data.as_str(), "about:blank"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|source| Error::Start {
                program: PROGRAM.to_owned(),
                source,
            })?;
        let missing = || protocol("start", "it has no pipes");
        let input = child.stdin.take().ok_or_else(missing)?;
        let output = child.stdout.take().ok_or_else(missing)?;
        let (sender, messages) = channel();
        thread::spawn(move || {
            for message in BufReader::new(output).split(0) {
                let Ok(message) = message else { return };
                let parsed = serde_json::from_slice(&message);
                if parsed.is_ok_and(|message| sender.send(message).is_err()) {
                    return;
                }
            }
        });
        let mut browser = Self {
            child,
            input,
            messages,
            next: 0,
            session: None,
            events: Vec::new(),
            _profile: profile,
        };
        browser.attach()?;
        Ok(browser)
    }

    fn attach(&mut self) -> Result<()> {
        let targets = self.call("Target.getTargets", json!({}))?;
        let all = targets["targetInfos"].as_array().into_iter().flatten();
        let page = all.into_iter().find(|target| target["type"] == "page");
        let page = page.ok_or_else(|| protocol("Target.getTargets", "there is no page"))?;
        let attach = json!({"targetId": page["targetId"], "flatten": true});
        let attached = self.call("Target.attachToTarget", attach)?;
        self.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            self.call(&format!("{domain}.enable"), json!({}))?;
        }
        Ok(())
    }

    /// Calls a method of the protocol.
    ///
    /// # Errors
    /// If the browser has ended, does not answer, or answers with an error.
    pub fn call(&mut self, method: &str, parameters: Value) -> Result<Value> {
        self.next += 1;
        let mut message = json!({"id": self.next, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let written = write!(self.input, "{message}\0").and_then(|()| self.input.flush());
        written.map_err(|error| protocol(method, &error.to_string()))?;
        loop {
            let mut answer = match self.messages.recv_timeout(PATIENCE) {
                Ok(answer) => answer,
                Err(RecvTimeoutError::Timeout) => return Err(protocol(method, "no answer")),
                Err(RecvTimeoutError::Disconnected) => return Err(protocol(method, "it ended")),
            };
            if answer["id"] != json!(self.next) {
                self.events.push(answer);
            } else if answer["error"].is_null() {
                return Ok(answer["result"].take());
            } else {
                return Err(protocol(method, &answer["error"].to_string()));
            }
        }
    }

    /// Opens a file.
    ///
    /// # Errors
    /// As for [`Browser::call`].
    pub fn open(&mut self, file: &Path) -> Result<()> {
        let url = format!("file://{}", file.display());
        self.call("Page.navigate", json!({"url": url})).map(drop)
    }

    /// The value of an expression of JavaScript. A promise is awaited.
    ///
    /// # Errors
    /// As for [`Browser::call`], and if the expression throws.
    pub fn evaluate(&mut self, expression: &str) -> Result<Value> {
        let parameters =
            json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let mut result = self.call("Runtime.evaluate", parameters)?;
        if !result["exceptionDetails"].is_null() {
            let thrown = result["exceptionDetails"].to_string();
            return Err(protocol(expression, &thrown));
        }
        Ok(result["result"]["value"].take())
    }

    /// Presses a key, by its name in the DOM: `ArrowDown`, `Enter`, `/`.
    ///
    /// # Errors
    /// As for [`Browser::call`].
    pub fn press(&mut self, key: &str) -> Result<()> {
        let codes = [
            ("Tab", 9),
            ("Enter", 13),
            ("Escape", 27),
            ("End", 35),
            ("Home", 36),
            ("ArrowLeft", 37),
            ("ArrowUp", 38),
            ("ArrowRight", 39),
            ("ArrowDown", 40),
        ];
        let code = codes.iter().find(|(name, _)| *name == key);
        let mut event = json!({"type": "keyDown", "key": key});
        match code {
            Some((_, code)) => event["windowsVirtualKeyCode"] = json!(code),
            None => event["text"] = json!(key),
        }
        self.call("Input.dispatchKeyEvent", event.clone())?;
        event["type"] = json!("keyUp");
        if let Some(event) = event.as_object_mut() {
            event.remove("text");
        }
        self.call("Input.dispatchKeyEvent", event).map(drop)
    }

    /// Clicks at a place of the page, in pixels.
    ///
    /// # Errors
    /// As for [`Browser::call`].
    pub fn click(&mut self, x: f64, y: f64) -> Result<()> {
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1});
            self.call("Input.dispatchMouseEvent", event)?;
        }
        Ok(())
    }

    /// Types a text.
    ///
    /// # Errors
    /// As for [`Browser::call`].
    pub fn write(&mut self, text: &str) -> Result<()> {
        self.call("Input.insertText", json!({"text": text}))
            .map(drop)
    }

    /// Changes the size of the page in pixels, and whether the user prefers a dark page.
    ///
    /// # Errors
    /// As for [`Browser::call`].
    pub fn show(&mut self, width: u32, height: u32, is_dark: bool) -> Result<()> {
        let size = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false,
        });
        self.call("Emulation.setDeviceMetricsOverride", size)?;
        let scheme = if is_dark { "dark" } else { "light" };
        let feature = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.call("Emulation.setEmulatedMedia", json!({"features": feature}))
            .map(drop)
    }

    /// A picture of the page, as PNG.
    ///
    /// # Errors
    /// As for [`Browser::call`].
    pub fn picture(&mut self) -> Result<Vec<u8>> {
        let picture = self.call("Page.captureScreenshot", json!({"format": "png"}))?;
        let base64 = picture["data"].as_str().unwrap_or_default();
        STANDARD
            .decode(base64)
            .map_err(|error| protocol("Page.captureScreenshot", &error.to_string()))
    }

    /// The events so far, of the page, its console and its requests.
    pub fn events(&self) -> &[Value] {
        &self.events
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.session = None;
        if self.call("Browser.close", json!({})).is_ok() {
            let child = &mut self.child;
            let _ = wait_for("the browser's end", || child.try_wait().ok().flatten());
        }
        // This has no effect on a browser that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn protocol(asked: &str, answer: &str) -> Error {
    Error::Browser {
        asked: asked.to_owned(),
        answer: answer.to_owned(),
    }
}
