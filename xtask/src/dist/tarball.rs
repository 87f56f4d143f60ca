//! A tarball whose bytes depend only on its files, the name of its directory and the given time.
//! Its files are sorted and belong to root, and gzip's header names no time and no operating
//! system.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use flate2::{Compression, GzBuilder};
use tar::{Builder, EntryType, Header};

use crate::package::Item;

/// A tarball to be written.
#[derive(Default)]
pub(super) struct Tarball {
    /// Mode and content by path.
    files: BTreeMap<String, (u32, Vec<u8>)>,
}

impl Tarball {
    /// Adds a file.
    pub(super) fn add(&mut self, path: impl Into<String>, content: impl Into<Vec<u8>>) {
        self.files.insert(path.into(), (0o644, content.into()));
    }

    /// Adds a file that users install.
    pub(super) fn add_item(&mut self, item: Item) {
        self.files.insert(item.path, (item.mode, item.content));
    }

    /// Adds a copy of `file`.
    pub(super) fn add_copy(&mut self, path: impl Into<String>, file: &Path) -> Result<()> {
        self.add(path, read(file)?);
        Ok(())
    }

    /// Writes the tarball. All its files are below the directory `top`, and have the time `time`,
    /// in seconds since 1970.
    pub(super) fn write(&self, top: &str, time: u64, to: &Path) -> Result<()> {
        let bytes = self
            .bytes(top, time)
            .with_context(|| format!("cannot create {}", to.display()))?;
        fs::write(to, bytes).with_context(|| format!("cannot write {}", to.display()))
    }

    fn bytes(&self, top: &str, time: u64) -> Result<Vec<u8>> {
        // GzBuilder's defaults are the time 0 and an "unknown" operating system.
        let gzip = GzBuilder::new().write(Vec::new(), Compression::best());
        let mut tar = Builder::new(gzip);
        for directory in self.directories(top) {
            append(&mut tar, &directory, 0o755, time, None)?;
        }
        for (path, (mode, content)) in &self.files {
            append(
                &mut tar,
                &format!("{top}/{path}"),
                *mode,
                time,
                Some(content),
            )?;
        }
        Ok(tar.into_inner()?.finish()?)
    }

    /// Each directory once, before its content.
    fn directories(&self, top: &str) -> BTreeSet<String> {
        let mut directories = BTreeSet::from([format!("{top}/")]);
        for path in self.files.keys() {
            for (slash, _) in path.match_indices('/') {
                directories.insert(format!("{top}/{}/", &path[..slash]));
            }
        }
        directories
    }
}

fn append(
    tar: &mut Builder<impl Write>,
    path: &str,
    mode: u32,
    time: u64,
    content: Option<&[u8]>,
) -> Result<()> {
    let mut header = Header::new_ustar();
    let content = match content {
        Some(content) => content,
        None => {
            header.set_entry_type(EntryType::Directory);
            &[]
        }
    };
    header.set_mode(mode);
    header.set_mtime(time);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(content.len() as u64);
    Ok(tar.append_data(&mut header, path, content)?)
}

fn read(file: &Path) -> Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

#[cfg(test)]
mod tests {
    use flate2::read::GzDecoder;

    use super::*;

    #[test]
    fn the_order_of_additions_does_not_change_the_bytes() {
        let mut one = Tarball::default();
        one.add("share/b", "b");
        one.add("a", "a");
        let mut other = Tarball::default();
        other.add("a", "a");
        other.add("share/b", "b");
        assert_eq!(one.bytes("x", 7).unwrap(), other.bytes("x", 7).unwrap());
        assert_ne!(one.bytes("x", 7).unwrap(), one.bytes("x", 8).unwrap());
    }

    #[test]
    fn tar_reads_what_was_written() {
        let mut tarball = Tarball::default();
        tarball.add("share/deep/b", "content");
        let bytes = tarball.bytes("x-1", 1_700_000_000).unwrap();
        let mut archive = tar::Archive::new(GzDecoder::new(&*bytes));
        let entries: Vec<(String, u32, u64, u64)> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let header = entry.header();
                let path = entry.path().unwrap().display().to_string();
                let (mode, time) = (header.mode().unwrap(), header.mtime().unwrap());
                assert_eq!(header.uid().unwrap(), 0);
                (path, mode, time, header.size().unwrap())
            })
            .collect();
        let time = 1_700_000_000;
        assert_eq!(
            entries,
            [
                ("x-1/".to_owned(), 0o755, time, 0),
                ("x-1/share/".to_owned(), 0o755, time, 0),
                ("x-1/share/deep/".to_owned(), 0o755, time, 0),
                ("x-1/share/deep/b".to_owned(), 0o644, time, 7),
            ]
        );
    }
}
