//! The directories in which the tests run. Each has the files of an engine from
//! `templates/log-reading`, and the programs that the documents name.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use exectrail_testbed::cache;
use exectrail_testbed::generated_log::{Options, generate};
use tempfile::TempDir;

/// The reason if the engines cannot run here.
pub(crate) fn missing() -> Option<String> {
    let python = cache::python_environment().map(|environment| environment.join("bin/python"));
    match python {
        Ok(python) if python.exists() => None,
        Ok(python) => Some(format!(
            "no {}: cargo xtask setup --tests",
            python.display()
        )),
        Err(error) => Some(error.to_string()),
    }
}

/// Reports that a test cannot run here. Fails if every test must run.
pub(crate) fn skip(test: &str, reason: &str) {
    exectrail_testbed::skip::skip(test, reason).unwrap();
}

/// Returns from the test if the engines are not installed.
macro_rules! needs_engines {
    () => {
        if let Some(reason) = $crate::machine::missing() {
            $crate::machine::skip(concat!(module_path!(), ":", line!()), &reason);
            return;
        }
    };
}
pub(crate) use needs_engines;

/// The root of the repository.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A directory with a log, the programs, and the files of an engine.
pub(crate) struct Place {
    directory: TempDir,
}

impl Place {
    /// Makes a directory with the files of `templates/log-reading/ENGINE`, and with `log` as
    /// exectrail.log.
    pub(crate) fn of(engine: &str, log: &str) -> Self {
        let directory = TempDir::new().unwrap();
        let place = Self { directory };
        place.write("exectrail.log", log.as_bytes());
        let files = repository().join("templates/log-reading").join(engine);
        for file in fs::read_dir(files).into_iter().flatten() {
            let file = file.unwrap();
            fs::copy(file.path(), place.path(file.file_name().to_str().unwrap())).unwrap();
        }
        fs::create_dir(place.path("bin")).unwrap();
        let environment = cache::python_environment().unwrap();
        let (python, duckdb) = (
            environment.join("bin/python"),
            environment.join("bin/duckdb"),
        );
        // The results have tabs between fields, instead of a table for people.
        place.program(
            "duckdb",
            &format!(
                "'{}' -noheader -list -separator '\t' -nullvalue ''",
                duckdb.display()
            ),
        );
        let client = repository().join("reader/tests/engines/clickhouse_client.py");
        let client = format!("'{}' '{}'", python.display(), client.display());
        place.program("clickhouse-client", &client);
        place.program("python3", &format!("'{}'", python.display()));
        place
    }

    /// Like [`Place::of`], with a generated log: 20,000 execs of 7 workspaces, and losses.
    pub(crate) fn generated(engine: &str) -> Self {
        let place = Self::of(engine, "");
        let options = Options {
            execs: 20_000,
            workspaces: 7,
            seed: 1,
            losses: true,
        };
        let mut log = Vec::new();
        generate(options, &mut log).unwrap();
        place.write("exectrail.log", &log);
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: &[u8]) {
        fs::write(self.path(name), content).unwrap();
    }

    fn program(&self, name: &str, command: &str) {
        let path = self.path("bin").join(name);
        fs::write(&path, format!("#!/bin/sh\nexec {command} \"$@\"\n")).unwrap();
        fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
    }

    /// Runs a shell block.
    pub(crate) fn try_shell(&self, block: &str) -> Output {
        let exectrail_log = Path::new(env!("CARGO_BIN_EXE_exectrail-log"));
        let path = format!(
            "{}:{}:{}",
            self.path("bin").display(),
            exectrail_log.parent().unwrap().display(),
            std::env::var("PATH").unwrap(),
        );
        Command::new("sh")
            .args(["-e", "-c", block])
            .current_dir(self.directory.path())
            .env("PATH", path)
            .env("LC_ALL", "C.UTF-8")
            .env("CHDB", self.path("chdb"))
            .output()
            .unwrap()
    }

    /// Runs a shell block, which must succeed, and returns its output.
    pub(crate) fn shell(&self, block: &str) -> String {
        let output = self.try_shell(block);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{block}\n{stderr}");
        String::from_utf8(output.stdout).unwrap()
    }
}

/// Divides a result into rows at line breaks, and each row into fields at tabs.
pub(crate) fn rows(text: &str) -> Vec<Vec<String>> {
    let fields = |line: &str| line.split('\t').map(str::to_owned).collect();
    text.lines().map(fields).collect()
}
