//! Replaces files atomically, so that no reader finds an incomplete file.

use std::{
    fs::{self, Permissions},
    io,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

/// The input that writing to `output` would replace: a file of the log, or the file behind standard
/// input.
pub(crate) fn replaced_by<'a>(files: &'a [PathBuf], output: &Path) -> Option<&'a Path> {
    // Two paths can name the same file.
    let identity = |path: &Path| fs::metadata(path).map(|file| (file.dev(), file.ino()));
    let output = identity(output).ok()?;
    let is_output = |file: &&PathBuf| {
        let file = if file.as_path() == Path::new("-") {
            Path::new("/dev/stdin")
        } else {
            file
        };
        identity(file).is_ok_and(|file| file == output)
    };
    files.iter().find(is_output).map(PathBuf::as_path)
}

/// Replaces a file with a newly written one.
#[derive(Debug)]
pub(crate) struct Replacement {
    /// The path of the file. If the file exists, the path has no links.
    place: PathBuf,
}

impl Replacement {
    /// A replacement of the file at `path`. If `path` is a link to a file, that file is replaced. A
    /// link without a target is replaced itself.
    ///
    /// # Errors
    /// If `path` names something that is not a regular file, such as a device or a directory.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let place = match fs::metadata(path) {
            Ok(found) if found.is_file() => fs::canonicalize(path)?,
            Ok(_) => return Err(io::Error::other("it is not a regular file")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
            Err(error) => return Err(error),
        };
        Ok(Self { place })
    }

    /// The directory of the file.
    pub(crate) fn directory(&self) -> &Path {
        match self.place.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        }
    }

    /// A new file in the [directory](Self::directory) of the replaced file. It has a temporary name
    /// until it is [put](Self::put) in place. The umask applies to `mode`.
    ///
    /// # Errors
    /// If the new file cannot be created.
    pub(crate) fn file(&self, mode: u32) -> io::Result<NamedTempFile> {
        tempfile::Builder::new()
            .permissions(Permissions::from_mode(mode))
            .tempfile_in(self.directory())
    }

    /// Puts the new file in place.
    ///
    /// # Errors
    /// If the new file cannot be renamed.
    pub(crate) fn put(&self, file: NamedTempFile) -> io::Result<()> {
        file.persist(&self.place)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write as _, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn a_file_or_what_a_link_names_is_replaced_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let [file, link] = ["file", "link"].map(|name| directory.path().join(name));
        fs::write(&file, "old").unwrap();
        symlink("file", &link).unwrap();
        for (path, text) in [(&file, "one"), (&link, "two")] {
            let replacement = Replacement::of(path).unwrap();
            let mut new = replacement.file(0o600).unwrap();
            new.write_all(text.as_bytes()).unwrap();
            replacement.put(new).unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), text);
        }
        assert!(link.is_symlink());
        let dangling = directory.path().join("dangling");
        symlink("nothing", &dangling).unwrap();
        let replacement = Replacement::of(&dangling).unwrap();
        replacement.put(replacement.file(0o600).unwrap()).unwrap();
        assert!(!dangling.is_symlink());
        assert_eq!(
            replaced_by(std::slice::from_ref(&file), &link),
            Some(&*file)
        );
        for other in [Path::new("/dev/null"), directory.path()] {
            assert!(Replacement::of(other).is_err());
        }
    }
}
