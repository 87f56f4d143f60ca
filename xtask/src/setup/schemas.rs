//! Schemas of other programs, from their Python packages: `exectrail-log convert` is tested with
//! them.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use exectrail_testbed::cache;

use super::requirement::Found;
use crate::command;

/// With their versions, so that every machine tests the same.
const PACKAGES: [&str; 3] = [
    "ocsf-json-schema==1.2.0",
    "perfetto==0.59.1",
    "protobuf==7.36.2",
];

/// File that lists what was installed.
const LIST: &str = "exectrail-packages";

pub(super) fn look() -> Found {
    let listed = cache::schemas()
        .ok()
        .and_then(|directory| fs::read_to_string(directory.join(LIST)).ok());
    if listed.is_some_and(|listed| listed == PACKAGES.join("\n")) {
        return Found::Present("the schemas of OCSF and Perfetto".to_owned());
    }
    Found::missing("schemas of OCSF and Perfetto (10 MB)", || {
        install(&cache::schemas()?)
    })
}

fn install(directory: &Path) -> Result<String> {
    let mut install = command::new("python3");
    install
        .args(["-m", "pip", "--quiet", "--disable-pip-version-check"])
        .args(["install", "--no-deps", "--no-compile", "--upgrade"])
        .args(["--only-binary", ":all:", "--target"])
        .arg(directory)
        .args(PACKAGES);
    command::output(&mut install).with_context(|| {
        format!(
            "This needs python3 with pip (Debian: python3-pip) and the package registry. To \
             install them by hand: `pip install --no-deps --target {} {}`",
            directory.display(),
            PACKAGES.join(" "),
        )
    })?;
    // Last: a directory without the list is not complete.
    let list = directory.join(LIST);
    fs::write(&list, PACKAGES.join("\n"))
        .with_context(|| format!("cannot write {}", list.display()))?;
    Ok(format!("by pip, into {}", directory.display()))
}
