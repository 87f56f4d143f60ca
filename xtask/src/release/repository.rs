//! The git repository, and a scratch work tree of it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use crate::command;

/// The repository.
pub(super) struct Repository {
    /// The commit of its work tree.
    head: String,
}

fn git(arguments: &[&str]) -> Command {
    let mut git = command::new("git");
    git.args(arguments);
    git
}

fn line_of(arguments: &[&str]) -> Result<String> {
    Ok(command::output(&mut git(arguments))?.trim().to_owned())
}

impl Repository {
    /// The repository of this work tree.
    pub(super) fn open() -> Result<Self> {
        let head = line_of(&["rev-parse", "--verify", "HEAD^{commit}"])
            .context("a release is made from a git repository with a commit")?;
        Ok(Self { head })
    }

    /// Fails if the work tree or the index differs from the commit.
    pub(super) fn ensure_clean(&self) -> Result<()> {
        let changes = command::output(&mut git(&["status", "--porcelain"]))?;
        ensure!(
            changes.is_empty(),
            "there are uncommitted changes; commit or remove them first:\n{changes}"
        );
        Ok(())
    }

    /// Fails if the tag exists.
    pub(super) fn ensure_no_tag(&self, tag: &str) -> Result<()> {
        let existing = line_of(&["tag", "--list", tag])?;
        ensure!(existing.is_empty(), "the tag {tag} already exists");
        Ok(())
    }

    /// The tags of versions.
    pub(super) fn version_tags(&self) -> Result<Vec<String>> {
        let tags = line_of(&["tag", "--list", "v[0-9]*"])?;
        Ok(tags.lines().map(str::to_owned).collect())
    }

    /// The paths of all tracked files.
    pub(super) fn files(&self) -> Result<Vec<String>> {
        let files = command::output(&mut git(&["ls-files", "-z"]))?;
        Ok(files.split_terminator('\0').map(str::to_owned).collect())
    }

    /// Creates an annotated tag.
    pub(super) fn tag(&self, tag: &str, commit: &str, message: &str) -> Result<()> {
        // The headings of the message begin with "#": git would take them for comments.
        let mut create = git(&["tag", "--annotate", "--cleanup=whitespace", "--file=-"]);
        let mut create = create
            .args([tag, commit])
            .stdin(Stdio::piped())
            .spawn()
            .context("cannot start git tag")?;
        if let Some(mut stdin) = create.stdin.take() {
            stdin.write_all(message.as_bytes())?;
        }
        let status = create.wait()?;
        ensure!(status.success(), "`git tag {tag}` failed: {status}");
        Ok(())
    }

    /// Removes a tag.
    pub(super) fn remove_tag(&self, tag: &str) -> Result<()> {
        command::output(&mut git(&["tag", "--delete", tag])).map(drop)
    }

    /// Moves the branch and the work tree from the parent of `commit` to `commit`.
    pub(super) fn fast_forward(&self, commit: &str) -> Result<()> {
        command::output(&mut git(&["merge", "--ff-only", "--quiet", commit])).map(drop)
    }
}

/// A separate work tree at the repository's commit; removed when dropped.
pub(super) struct Scratch {
    /// The directory that the work tree is in.
    _directory: TempDir,
    path: PathBuf,
}

impl Scratch {
    /// Checks the commit out.
    pub(super) fn new(repository: &Repository) -> Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix("exectrail-release-")
            .tempdir()
            .context("cannot create a directory for a scratch work tree")?;
        let path = directory.path().join("exectrail");
        let scratch = Self {
            _directory: directory,
            path,
        };
        command::output(
            git(&["worktree", "add", "--quiet", "--detach"])
                .arg(&scratch.path)
                .arg(&repository.head),
        )?;
        Ok(scratch)
    }

    /// The root of the work tree.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The changes, as a diff.
    pub(super) fn diff(&self) -> Result<String> {
        command::output(&mut self.git(&["diff", "--no-color", "--no-ext-diff"]))
    }

    /// Commits all changes, and returns the commit.
    pub(super) fn commit(&self, message: &str) -> Result<String> {
        if self.diff()?.is_empty() {
            bail!("the release changes no file");
        }
        command::output(&mut self.git(&["commit", "--quiet", "--all", "--message", message]))?;
        let commit = command::output(&mut self.git(&["rev-parse", "HEAD"]))?;
        Ok(commit.trim().to_owned())
    }

    fn git(&self, arguments: &[&str]) -> Command {
        let mut git = git(arguments);
        git.current_dir(&self.path);
        git
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // If this fails, `git worktree prune` removes the entry later.
        let _ = command::output(git(&["worktree", "remove", "--force"]).arg(&self.path));
    }
}
