//! Facts about the source, from git: its files, its commit and its time.

use std::env;

use anyhow::{Context as _, Result};

use crate::command;

/// The files that git tracks or would add, relative to the root.
pub(crate) fn files() -> Result<Vec<String>> {
    let mut list = command::new("git");
    list.args(["ls-files", "-z"])
        .args(["--cached", "--others", "--exclude-standard"]);
    Ok(command::output(&mut list)?
        .split_terminator('\0')
        .map(str::to_owned)
        .collect())
}

/// The commit, marked if the tree differs from it.
pub(crate) fn revision() -> String {
    let mut describe = command::new("git");
    describe.args(["describe", "--always", "--abbrev=40"]);
    describe.args(["--exclude=*", "--dirty"]);
    command::output(&mut describe).map_or_else(
        |_| "unknown".to_owned(),
        |revision| revision.trim().to_owned(),
    )
}

/// Time of the last change to the source, in seconds since 1970: every file of a release has it.
///
/// It is `SOURCE_DATE_EPOCH` of the environment, or else the time of the last commit, or else 0.
/// See <https://reproducible-builds.org/specs/source-date-epoch/>.
///
/// # Errors
///
/// If `SOURCE_DATE_EPOCH` is not a number.
pub(crate) fn time() -> Result<u64> {
    if let Some(given) = env::var_os("SOURCE_DATE_EPOCH") {
        let seconds = given.to_str().and_then(|text| text.parse().ok());
        return seconds
            .with_context(|| format!("SOURCE_DATE_EPOCH={given:?} is no number of seconds"));
    }
    let committed = command::output(command::new("git").args(["log", "-1", "--format=%ct"]));
    Ok(committed
        .ok()
        .and_then(|time| time.trim().parse().ok())
        .unwrap_or_default())
}
