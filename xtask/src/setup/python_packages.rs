//! The Python packages that tests use, in a separate virtual environment: database engines that
//! read the log, pySigma, and schemas of other programs.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use exectrail_testbed::cache;

use super::requirement::Found;
use crate::command;

/// The packages have versions, so that every machine tests the same. The packages below the line
/// `//` are the dependencies of the packages above it. No dependency is installed automatically,
/// because chDB's own dependencies are 300 MB that nothing here uses.
const PACKAGES: [&str; 20] = [
    "chdb-core==26.9.0",
    "duckdb==2.0.1",
    "duckdb-cli==1.5.6",
    "ocsf-json-schema==1.2.0",
    "perfetto==0.59.1",
    "pysigma==2.0.1",
    "pysigma-backend-sqlite==2.1.1",
    //
    "certifi==2026.10.19.post1",
    "charset-normalizer==3.5.3",
    "diskcache==5.6.3",
    "google-re2==1.1.20251105",
    "idna==3.20",
    "jinja2==3.1.6",
    "markupsafe==3.0.4",
    "packaging==26.4",
    "protobuf==7.36.2",
    "pyparsing==3.3.3",
    "pyyaml==6.0.4",
    "requests==2.34.2",
    "urllib3==2.8.0",
];

/// File in the environment that lists what was installed.
const LIST: &str = "exectrail-packages";

pub(super) fn look() -> Found {
    let Ok(environment) = cache::python_environment() else {
        // The installation then fails with the reason.
        return missing();
    };
    match fs::read_to_string(environment.join(LIST)) {
        Ok(list) if list == PACKAGES.join("\n") => Found::Present(format!(
            "the {} Python packages for the tests ({})",
            PACKAGES.len(),
            environment.display()
        )),
        _ => missing(),
    }
}

fn missing() -> Found {
    Found::missing(
        "Python packages for the tests: DuckDB, chDB, pySigma and schemas (half a minute)",
        || install(&cache::python_environment()?),
    )
}

fn install(environment: &Path) -> Result<String> {
    let by_hand = || {
        format!(
            "The Python packages need python3 with pip (Debian: python3-pip) and the package \
             registry. To install the packages by hand, into the virtual environment {}: \
             `pip install --no-deps {}`",
            environment.display(),
            PACKAGES.join(" "),
        )
    };
    let mut make = command::new("python3");
    make.args(["-m", "venv", "--clear", "--without-pip"]);
    command::output(make.arg(environment)).with_context(by_hand)?;
    let mut install = command::new("python3");
    install
        .args([
            "-m",
            "pip",
            "--quiet",
            "--disable-pip-version-check",
            "--python",
        ])
        .arg(environment.join("bin/python"))
        .args([
            "install",
            "--no-deps",
            "--no-compile",
            "--only-binary",
            ":all:",
        ])
        .args(PACKAGES);
    command::output(&mut install).with_context(by_hand)?;
    // Write the list last: an environment without the list is not complete.
    let list = environment.join(LIST);
    fs::write(&list, PACKAGES.join("\n"))
        .with_context(|| format!("cannot write {}", list.display()))?;
    Ok(format!("by pip, into {}", environment.display()))
}
