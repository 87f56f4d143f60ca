//! Checkpoints, signatures and the numbers of lines prove that a log is complete up to a time:
//! `exectrail verify` finds every change of a real log up to its last signature.

mod certificates;
mod checkpoints;
mod mutations;
mod restarts;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

use crate::{
    pod::{Pod, Sidecar},
    tools::EXECTRAIL,
};

/// The private key of RFC 8410, section 10.3, and its public key (section 10.1).
const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
    -----END PRIVATE KEY-----\n";
const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
    MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
    -----END PUBLIC KEY-----\n";

/// The files of a test.
struct Files {
    private: PathBuf,
    public: PathBuf,
    log: PathBuf,
}

impl Files {
    fn new(dir: &Path) -> Self {
        let [private, public, log] = ["private.pem", "public.pem", "log"].map(|f| dir.join(f));
        fs::write(&private, PRIVATE).unwrap();
        fs::write(&public, PUBLIC).unwrap();
        Self {
            private,
            public,
            log,
        }
    }

    /// The flag with which exectrail signs.
    fn sign(&self) -> String {
        format!("--sign-key={}", self.private.display())
    }

    /// Verifies these lines.
    fn verify(&self, lines: &[&str], arguments: &[&str]) -> Output {
        let text: String = lines.iter().flat_map(|line| [line, "\n"]).collect();
        fs::write(&self.log, text).unwrap();
        let mut verify = Command::new(EXECTRAIL);
        verify.arg("verify").args(arguments).arg(&self.log);
        verify.output().unwrap()
    }

    /// Verifies these lines, with the key and up to this time.
    fn verify_all(&self, lines: &[&str], until: &str) -> Output {
        let key = self.public.display().to_string();
        self.verify(lines, &["--key", &key, "--until", until])
    }
}

fn report(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Stops the sidecar with SIGTERM; returns its log as it was written.
fn stop(sidecar: Sidecar) -> String {
    let log = sidecar.log();
    // The log is opened first, because its directory is removed with the sidecar.
    let open = fs::File::open(log).unwrap();
    sidecar.stop();
    std::io::read_to_string(open).unwrap()
}

/// The last value of a key of `fields` in the lines that have it.
fn last_of(lines: &[&str], key: &str) -> String {
    let values = lines.iter().rev().map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        line["fields"][key].as_str().map(str::to_owned)
    });
    values.flatten().next().unwrap()
}

fn msg(line: &str) -> String {
    let line: Value = serde_json::from_str(line).unwrap();
    line["msg"].as_str().unwrap().to_owned()
}

/// Waits for a checkpoint that is written from now on.
fn wait_for_checkpoint(sidecar: &Sidecar) {
    let count = || {
        let lines = sidecar.lines();
        crate::pod::messages(&lines, "checkpoint").len()
    };
    let before = count();
    crate::pod::wait_for("a checkpoint", || (count() > before).then_some(()));
}

/// A sidecar that signs a checkpoint each second.
fn sidecar(pod: &Pod, files: &Files, arguments: &[&str]) -> Sidecar {
    let sign = files.sign();
    let all = [&["--checkpoint=1s", &sign][..], arguments].concat();
    pod.sidecar(&all)
}
