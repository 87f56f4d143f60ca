//! `cargo xtask install`: installs the release build below a prefix, and removes it.
//!
//! `share/exectrail/installed-files` lists the installed files, so `--uninstall` removes exactly
//! these files, whatever their version.

use std::env;
use std::fs::{self, Permissions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use rustix::fs::{Access, access};
use tempfile::NamedTempFile;

use crate::package::{self, Item};
use crate::{build, progress};

/// The list of installed files, below the prefix.
const LIST: &str = "share/exectrail/installed-files";

/// Arguments of `cargo xtask install`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Directory for bin and share; ~/.local needs no root
    #[arg(long, value_name = "DIR", default_value = "/usr/local")]
    prefix: PathBuf,

    /// Remove what was installed below the prefix
    #[arg(long)]
    uninstall: bool,
}

/// `cargo xtask install`.
pub(crate) fn command(args: &Args) -> Result<()> {
    // Commands run in the repository's root; --prefix is relative to the caller's directory.
    let prefix = std::path::absolute(&args.prefix).context("--prefix is empty")?;
    check_writable(&prefix)?;
    if args.uninstall {
        for path in uninstall(&prefix)? {
            println!("removed {}", path.display());
        }
        return Ok(());
    }
    let built = build::release()?;
    for path in install(&prefix, &package::items(&built, &built)?)? {
        println!("installed {}", path.display());
    }
    let bin = prefix.join("bin");
    let path = env::var_os("PATH").unwrap_or_default();
    if !env::split_paths(&path).any(|directory| directory == bin) {
        progress::warning(format_args!(
            "{} is not on your PATH: add it, or call {}",
            bin.display(),
            bin.join("exectrail").display()
        ));
    }
    Ok(())
}

/// Fails before the build, which takes minutes, if nothing can be written below the prefix.
fn check_writable(prefix: &Path) -> Result<()> {
    let existing = prefix.ancestors().find(|path| path.exists());
    let existing = existing.unwrap_or(Path::new("/"));
    access(existing, Access::WRITE_OK).with_context(|| {
        format!(
            "cannot write to {}: run this as root, or give a directory of yours, such as \
             --prefix ~/.local",
            existing.display()
        )
    })
}

/// Installs the files, and removes files of an earlier installation that the new one does not have.
/// Returns the paths of the installed files.
fn install(prefix: &Path, items: &[Item]) -> Result<Vec<PathBuf>> {
    let before = installed(prefix)?.unwrap_or_default();
    let mut list = String::new();
    for item in items {
        list.push_str(&item.path);
        list.push('\n');
    }
    // The list is written first, so that the installed files can be removed after a failure.
    let kept: String = before.iter().map(|path| format!("{path}\n")).collect();
    write(prefix, LIST, 0o644, (kept + &list).as_bytes())?;
    for item in items {
        write(prefix, &item.path, item.mode, &item.content)?;
    }
    for path in before {
        if !items.iter().any(|item| item.path == path) {
            remove(&prefix.join(path))?;
        }
    }
    write(prefix, LIST, 0o644, list.as_bytes())?;
    Ok(items.iter().map(|item| prefix.join(&item.path)).collect())
}

/// Removes the installed files; returns the paths of the files that existed.
fn uninstall(prefix: &Path) -> Result<Vec<PathBuf>> {
    let Some(list) = installed(prefix)? else {
        bail!(
            "nothing to remove: {} does not exist, so `cargo xtask install` has installed nothing \
             below {}",
            prefix.join(LIST).display(),
            prefix.display()
        );
    };
    let mut removed = Vec::new();
    for path in list {
        let path = prefix.join(path);
        if remove(&path)? {
            removed.push(path);
        }
    }
    let list = prefix.join(LIST);
    remove(&list)?;
    if let Some(directory) = list.parent() {
        // This directory is only for the list; other programs use the other directories, too.
        let _ = fs::remove_dir(directory);
    }
    Ok(removed)
}

/// The paths in the list, each once; `None` if there is no list.
fn installed(prefix: &Path) -> Result<Option<Vec<String>>> {
    let list = prefix.join(LIST);
    let text = match fs::read_to_string(&list) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read {}", list.display()));
        }
    };
    let mut paths: Vec<String> = text.lines().map(str::to_owned).collect();
    paths.sort();
    paths.dedup();
    for path in &paths {
        let below = |part| matches!(part, Component::Normal(_));
        ensure!(
            !path.is_empty() && Path::new(path).components().all(below),
            "{} has {path:?}, which is not below the prefix: remove the files by hand",
            list.display()
        );
    }
    Ok(Some(paths))
}

/// Writes a whole file, then gives it its name: a running program keeps its old file.
fn write(prefix: &Path, path: &str, mode: u32, content: &[u8]) -> Result<()> {
    let path = prefix.join(path);
    let context = || format!("cannot write {}", path.display());
    let directory = path.parent().unwrap_or(prefix);
    fs::create_dir_all(directory).with_context(context)?;
    let mut file = NamedTempFile::new_in(directory).with_context(context)?;
    file.write_all(content).with_context(context)?;
    let mode = Permissions::from_mode(mode);
    file.as_file().set_permissions(mode).with_context(context)?;
    file.persist(&path).with_context(context)?;
    Ok(())
}

/// Removes a file; returns whether it existed.
fn remove(path: &Path) -> Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).with_context(|| format!("cannot remove {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn item(path: &str, mode: u32, content: &str) -> Item {
        Item {
            path: path.into(),
            mode,
            content: content.into(),
        }
    }

    fn files(prefix: &Path) -> Vec<String> {
        let find = Command::new("find")
            .current_dir(prefix)
            .args(["-type", "f"])
            .output()
            .unwrap();
        let found = String::from_utf8(find.stdout).unwrap();
        let mut files: Vec<String> = found.lines().map(str::to_owned).collect();
        files.sort();
        files
    }

    #[test]
    fn what_is_installed_can_be_removed_and_nothing_else_is() {
        let prefix = tempfile::tempdir().unwrap();
        let prefix = prefix.path();
        assert!(uninstall(prefix).is_err());
        fs::create_dir_all(prefix.join("bin")).unwrap();
        fs::write(prefix.join("bin/other"), "").unwrap();
        let program = item("bin/program", 0o755, "#!/bin/sh\necho 1\n");
        let page = item("share/man/man1/program.1", 0o644, "page");
        install(prefix, &[program, page]).unwrap();
        let printed = Command::new(prefix.join("bin/program")).output().unwrap();
        assert_eq!(printed.stdout, b"1\n");
        // A later version, without a page.
        let program = item("bin/program", 0o755, "#!/bin/sh\necho 2\n");
        install(prefix, &[program]).unwrap();
        let printed = Command::new(prefix.join("bin/program")).output().unwrap();
        assert_eq!(printed.stdout, b"2\n");
        let list = format!("./{LIST}");
        assert_eq!(files(prefix), ["./bin/other", "./bin/program", &list]);
        let removed = uninstall(prefix).unwrap();
        assert_eq!(removed, [prefix.join("bin/program")]);
        assert_eq!(files(prefix), ["./bin/other"]);
    }

    #[test]
    fn a_list_names_nothing_outside_the_prefix() {
        let prefix = tempfile::tempdir().unwrap();
        let outside = tempfile::NamedTempFile::new().unwrap();
        let list = prefix.path().join(LIST);
        fs::create_dir_all(list.parent().unwrap()).unwrap();
        let path = outside.path().to_str().unwrap();
        for wrong in [path, "../a", "a/../../b", ""] {
            fs::write(&list, format!("{wrong}\n")).unwrap();
            assert!(uninstall(prefix.path()).is_err(), "{wrong}");
        }
        assert!(outside.path().exists());
    }
}
