//! One cluster at a time, because each `cargo xtask kubernetes` of a repository uses the same built
//! programs and logs.

use std::fs::{self, File, TryLockError};
use std::path::Path;

use anyhow::{Context, Result, bail};

/// Prefixes of the directories that the command makes in `target/kubernetes`, and removes.
pub(super) const SCRATCH: &str = "run-";
pub(super) const UNFINISHED: &str = "unfinished-";

/// The right to use the directory. The kernel takes it back when the process ends.
pub(super) struct Alone {
    lock: File,
}

impl Drop for Alone {
    /// Closing the file is not enough: a child that has been forked and not yet executed its
    /// program still has the file open (flock(2)). An error is ignored: the file is closed
    /// next, and the lock ends with its last copy.
    fn drop(&mut self) {
        let _ = self.lock.unlock();
    }
}

impl Alone {
    /// Takes the right to the directory, and removes from it what killed runs have left.
    pub(super) fn in_directory(directory: &Path) -> Result<Self> {
        fs::create_dir_all(directory)
            .with_context(|| format!("cannot create {}", directory.display()))?;
        let path = directory.join("lock");
        let lock =
            File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!(
                "another `cargo xtask kubernetes` runs in this repository: wait for its end, or \
                 end it with Ctrl-C"
            ),
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", path.display()));
            }
        }
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with(SCRATCH) || name.starts_with(UNFINISHED) {
                fs::remove_dir_all(entry.path())
                    .with_context(|| format!("cannot remove {}", entry.path().display()))?;
            }
        }
        Ok(Self { lock })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_run_is_refused_and_what_a_killed_one_left_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["run-a", "unfinished-b", "node-c"] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        let first = Alone::in_directory(directory.path()).unwrap();
        let left = |name| directory.path().join(name).exists();
        assert!(!left("run-a") && !left("unfinished-b") && left("node-c"));
        let error = Alone::in_directory(directory.path()).err().unwrap();
        assert!(error.to_string().contains("Ctrl-C"), "{error}");
        let copy_of_a_child = first.lock.try_clone().unwrap();
        drop(first);
        Alone::in_directory(directory.path()).unwrap();
        drop(copy_of_a_child);
    }
}
