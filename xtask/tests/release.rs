//! `cargo xtask release`, in scratch clones of this repository.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![forbid(unsafe_code)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// The version of this repository, before a release.
const OLD: &str = env!("CARGO_PKG_VERSION");

/// A version that is greater, and occurs nowhere else in the repository.
const NEW: &str = "77.88.99";

/// A clone of this repository, in which its uncommitted changes are committed.
struct Clone {
    directory: TempDir,
}

impl Clone {
    fn new() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let clone = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        let mut git = Command::new("git");
        git.args(["clone", "--local", "--quiet", "--no-tags"]);
        succeed(git.arg(root).arg(clone.path()));
        clone.git(&["config", "user.name", "A Test"]);
        clone.git(&["config", "user.email", "test@example.com"]);
        // Changes that are not committed in this repository are committed in the clone.
        for list in [
            &["diff", "--name-only", "-z", "HEAD"][..],
            &["ls-files", "--others", "--exclude-standard", "-z"],
        ] {
            let files = succeed(Command::new("git").current_dir(root).args(list));
            for file in files.split_terminator('\0') {
                clone.take(file, root);
            }
        }
        clone.write(
            "CHANGELOG.md",
            "# Changelog\n\n## Unreleased\n\n### Added\n- This.\n",
        );
        clone.commit("The work tree");
        clone
    }

    /// Makes a file the same as in `root`.
    fn take(&self, file: &str, root: &Path) {
        let (from, to) = (root.join(file), self.path().join(file));
        if from.is_file() {
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(from, to).unwrap();
        } else {
            fs::remove_file(to).unwrap();
        }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn write(&self, file: &str, text: &str) {
        fs::write(self.path().join(file), text).unwrap();
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path().join(file)).unwrap()
    }

    fn commit(&self, message: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
    }

    fn git(&self, arguments: &[&str]) -> String {
        let mut git = Command::new("git");
        succeed(isolated(git.current_dir(self.path()).args(arguments)))
    }

    fn release(&self, arguments: &[&str]) -> Output {
        let mut release = Command::new(env!("CARGO_BIN_EXE_xtask"));
        release
            .arg("release")
            .args(arguments)
            .env("EXECTRAIL_XTASK_ROOT", self.path());
        isolated(&mut release).output().unwrap()
    }

    /// Everything that a release changes: branch, commits, tags, work trees and files.
    fn state(&self) -> String {
        [
            self.git(&["for-each-ref"]),
            self.git(&["rev-parse", "HEAD"]),
            self.git(&["status", "--porcelain"]),
            self.git(&["worktree", "list"]),
        ]
        .concat()
    }

    /// Asserts that a release fails with `reason` and changes nothing.
    fn refuses(&self, arguments: &[&str], reason: &str) {
        let before = self.state();
        let output = self.release(arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{arguments:?} succeeded");
        assert!(error.contains(reason), "{arguments:?}: {error}");
        assert_eq!(self.state(), before, "{arguments:?}");
    }
}

/// Makes git read no configuration of this machine.
fn isolated(command: &mut Command) -> &mut Command {
    command
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
}

/// The output of a command that succeeds.
fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// Lines with the old version, except lines of other packages in lock files.
fn stale_lines(clone: &Clone) -> Vec<String> {
    let mut stale = Vec::new();
    for file in clone.git(&["ls-files"]).lines() {
        let Ok(text) = fs::read_to_string(clone.path().join(file)) else {
            continue;
        };
        let is_lock = file.ends_with("Cargo.lock");
        let mut package = "";
        for line in text.lines() {
            package = line.strip_prefix("name = ").unwrap_or(package);
            let of_another =
                is_lock && !package.starts_with("\"exectrail") && package != "\"xtask\"";
            if line.contains(OLD) && !of_another {
                stale.push(format!("{file}: {line}"));
            }
        }
    }
    stale
}

#[test]
fn a_release_leaves_the_old_version_nowhere() {
    let clone = Clone::new();
    assert!(stale_lines(&clone).len() > 15, "the version is not found");
    let output = clone.release(&[NEW]);
    assert!(output.status.success(), "{output:?}");

    // The examples of `release/` stay.
    let stale: Vec<String> = stale_lines(&clone)
        .into_iter()
        .filter(|line| !line.starts_with("xtask/src/release/"))
        .collect();
    assert_eq!(stale, [""; 0]);
    for file in [
        "Cargo.toml",
        "Dockerfile",
        "README.md",
        "templates/kubernetes/main.tf",
    ] {
        assert!(clone.read(file).contains(NEW), "{file}");
    }

    // Cargo accepts both lock files as they are.
    for manifest in ["Cargo.toml", "fuzz/Cargo.toml"] {
        let accepts = |root: &Path| {
            let mut cargo = Command::new(env!("CARGO"));
            cargo
                .args(["metadata", "--offline", "--locked", "--format-version=1"])
                .arg("--manifest-path")
                .arg(root.join(manifest));
            cargo.output().unwrap()
        };
        // If the packages are not on this machine, cargo cannot check a lock file.
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        if accepts(root).status.success() {
            let output = accepts(clone.path());
            let error = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{manifest}: {error}");
            let metadata = String::from_utf8_lossy(&output.stdout);
            assert!(
                metadata.contains(&format!("#exectrail@{NEW}")),
                "{manifest}"
            );
        }
    }
}

#[test]
fn a_release_is_one_commit_with_an_annotated_tag_and_a_changelog_entry() {
    let clone = Clone::new();
    let before = clone.git(&["rev-parse", "HEAD"]);
    let branch = clone.git(&["symbolic-ref", "HEAD"]);
    let output = clone.release(&[NEW]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(clone.git(&["symbolic-ref", "HEAD"]), branch);
    assert_eq!(clone.git(&["rev-parse", "HEAD^"]), before);
    assert_eq!(
        clone.git(&["log", "-1", "--format=%s"]).trim(),
        format!("Release {NEW}")
    );
    assert_eq!(clone.git(&["status", "--porcelain"]), "");
    let tag = format!("v{NEW}");
    assert_eq!(clone.git(&["cat-file", "-t", &tag]).trim(), "tag");
    assert_eq!(
        clone.git(&["rev-parse", &format!("{tag}^{{commit}}")]),
        clone.git(&["rev-parse", "HEAD"])
    );
    let message = clone.git(&["tag", "--list", "--format=%(contents)", &tag]);
    assert!(message.contains("### Added\n- This."), "{message}");
    assert_eq!(clone.git(&["worktree", "list"]).lines().count(), 1);

    let changelog = clone.read("CHANGELOG.md");
    let (unreleased, released) = changelog.split_once(&format!("\n## {NEW} - 2")).unwrap();
    assert_eq!(unreleased, "# Changelog\n\n## Unreleased\n");
    assert!(released.ends_with("\n\n### Added\n- This.\n"), "{released}");

    // The next release needs an entry of its own.
    clone.refuses(&["78.0.0"], "nothing under \"## Unreleased\"");
    clone.refuses(&[NEW], "already exists");
}

#[test]
fn a_dry_run_prints_the_changes_and_makes_none() {
    let clone = Clone::new();
    let before = clone.state();
    let output = clone.release(&[NEW, "--dry-run"]);
    assert!(output.status.success(), "{output:?}");
    let diff = String::from_utf8_lossy(&output.stdout);
    for line in [
        format!("-version = \"{OLD}\""),
        format!("+version = \"{NEW}\""),
        "+++ b/CHANGELOG.md".to_owned(),
        format!("+ARG VERSION={NEW}"),
    ] {
        assert!(diff.lines().any(|have| have == line), "no {line}: {diff}");
    }
    assert_eq!(clone.state(), before);
}

#[test]
fn a_release_that_cannot_be_made_changes_nothing() {
    let clone = Clone::new();
    clone.refuses(&[OLD], "not greater");
    clone.refuses(&["0.0.1"], "not greater");
    clone.refuses(&["1.2"], "not a version");
    clone.refuses(&["v77.0.0"], "the version is 77.0.0");
    clone.refuses(&["77.0.0+x"], "build metadata");
    clone.refuses(
        &[NEW, "--first"],
        "--first releases the version in Cargo.toml",
    );

    // There is an untracked file, and then a changed file.
    clone.write("new", "");
    clone.refuses(&[NEW], "uncommitted changes");
    fs::remove_file(clone.path().join("new")).unwrap();
    clone.write("README.md", "");
    clone.refuses(&[NEW, "--dry-run"], "uncommitted changes");
    clone.git(&["checkout", "--quiet", "README.md"]);

    clone.git(&["tag", &format!("v{NEW}")]);
    clone.refuses(&[NEW], "already exists");
    clone.git(&["tag", "--delete", &format!("v{NEW}")]);

    clone.write("docs/new.md", &format!("Like {OLD} of it.\n"));
    clone.commit("The version at an unknown place");
    clone.refuses(&[NEW], "docs/new.md:1");
}

#[test]
fn a_release_that_fails_half_way_changes_nothing() {
    let clone = Clone::new();
    let hooks = clone.path().join(".git/hooks");
    let hook = |name: &str| -> PathBuf {
        fs::create_dir_all(&hooks).unwrap();
        let file = hooks.join(name);
        fs::write(&file, "#!/bin/sh\necho refused by a hook >&2\nexit 1\n").unwrap();
        succeed(Command::new("chmod").arg("+x").arg(&file));
        file
    };
    // The commit fails.
    let pre_commit = hook("pre-commit");
    clone.refuses(&[NEW], "refused by a hook");
    fs::remove_file(pre_commit).unwrap();

    // The tag fails, because another git process writes it.
    let lock = clone.path().join(format!(".git/refs/tags/v{NEW}.lock"));
    fs::create_dir_all(lock.parent().unwrap()).unwrap();
    fs::write(&lock, "").unwrap();
    clone.refuses(&[NEW], "git tag");
    fs::remove_file(lock).unwrap();

    // The branch cannot move, because another git process has the index.
    let lock = clone.path().join(".git/index.lock");
    fs::write(&lock, "").unwrap();
    let before = clone.git(&["for-each-ref"]);
    let output = clone.release(&[NEW]);
    fs::remove_file(lock).unwrap();
    assert!(!output.status.success(), "{output:?}");
    assert_eq!(clone.git(&["for-each-ref"]), before);
    assert_eq!(clone.git(&["status", "--porcelain"]), "");
    assert!(clone.release(&[NEW]).status.success());
}

#[test]
fn the_first_release_may_be_of_the_version_that_the_files_have() {
    let clone = Clone::new();
    clone.refuses(&[OLD], "--first");
    let output = clone.release(&[OLD, "--first"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(clone.git(&["tag", "--list"]).trim(), format!("v{OLD}"));
    assert!(
        clone
            .read("CHANGELOG.md")
            .contains(&format!("## {OLD} - 2"))
    );
}
