//! The files that users install: programs, man pages and completions, at paths below a prefix such
//! as /usr/local.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::build::Built;
use crate::command;

/// A completion script: the program, the shell, and the path that the shell searches, below a
/// prefix.
pub(crate) const COMPLETIONS: [(&str, &str, &str); 6] = [
    (
        "exectrail",
        "bash",
        "share/bash-completion/completions/exectrail",
    ),
    ("exectrail", "zsh", "share/zsh/site-functions/_exectrail"),
    (
        "exectrail",
        "fish",
        "share/fish/vendor_completions.d/exectrail.fish",
    ),
    (
        "exectrail-log",
        "bash",
        "share/bash-completion/completions/exectrail-log",
    ),
    (
        "exectrail-log",
        "zsh",
        "share/zsh/site-functions/_exectrail-log",
    ),
    (
        "exectrail-log",
        "fish",
        "share/fish/vendor_completions.d/exectrail-log.fish",
    ),
];

/// Mode of a program.
const PROGRAM: u32 = 0o755;
/// Mode of every other file.
const DATA: u32 = 0o644;

/// A file to install.
pub(crate) struct Item {
    /// Path below the prefix.
    pub(crate) path: String,
    pub(crate) mode: u32,
    pub(crate) content: Vec<u8>,
}

/// The files of the programs in `built`. The programs in `host`, which this machine can run, write
/// the man pages and completions.
pub(crate) fn items(host: &Built, built: &Built) -> Result<Vec<Item>> {
    let mut items = Vec::new();
    let mut add = |path: String, mode, content| {
        items.push(Item {
            path,
            mode,
            content,
        });
    };
    for program in [&built.exectrail, &built.log, &built.preflight] {
        add(format!("bin/{}", name_of(program)), PROGRAM, read(program)?);
    }
    let manual = tempfile::tempdir()?;
    for program in [&host.exectrail, &host.log] {
        command::output(command::new(program).arg("man").arg(manual.path()))?;
    }
    for page in fs::read_dir(manual.path())? {
        let page = page?.path();
        let path = format!("share/man/man1/{}", name_of(&page));
        add(path, DATA, read(&page)?);
    }
    for (program, shell, path) in COMPLETIONS {
        let program = match program {
            "exectrail" => &host.exectrail,
            _ => &host.log,
        };
        let script = command::output(command::new(program).args(["completions", shell]))?;
        add(path.to_owned(), DATA, script.into_bytes());
    }
    items.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(items)
}

/// The last part of a path.
pub(crate) fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}
