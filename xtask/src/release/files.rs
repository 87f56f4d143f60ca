//! The text files of a work tree, changed in memory and written together.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// The text files, by path.
pub(super) struct Files {
    texts: BTreeMap<String, String>,
    changed: BTreeSet<String>,
}

impl Files {
    /// Reads those files of `paths`, below `root`, that are text.
    pub(super) fn read(root: &Path, paths: &[String]) -> Result<Self> {
        let mut texts = BTreeMap::new();
        for path in paths {
            let file = root.join(path);
            // A symbolic link has no content of its own.
            if !file.symlink_metadata().is_ok_and(|file| file.is_file()) {
                continue;
            }
            let bytes =
                fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            if let Ok(text) = String::from_utf8(bytes) {
                texts.insert(path.clone(), text);
            }
        }
        Ok(Self {
            texts,
            changed: BTreeSet::new(),
        })
    }

    /// All paths.
    pub(super) fn paths(&self) -> Vec<String> {
        self.texts.keys().cloned().collect()
    }

    /// Gives a file the text that `change` returns; returns the second value of `change`.
    pub(super) fn change<T>(
        &mut self,
        path: &str,
        change: impl FnOnce(&str) -> Result<(String, T)>,
    ) -> Result<T> {
        let text = self
            .texts
            .get_mut(path)
            .with_context(|| format!("there is no {path}"))?;
        let (new, value) = change(text)?;
        if *text != new {
            *text = new;
            self.changed.insert(path.to_owned());
        }
        Ok(value)
    }

    /// Writes the changed files below `root`.
    pub(super) fn write(&self, root: &Path) -> Result<()> {
        for path in &self.changed {
            let file = root.join(path);
            fs::write(&file, &self.texts[path])
                .with_context(|| format!("cannot write {}", file.display()))?;
        }
        Ok(())
    }
}
