//! Reads one label file, in limited memory.

use std::{
    collections::BTreeMap,
    fs::{File, Metadata},
    io::{self, BufRead as _, BufReader, Read as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::Path,
};

use rustix::fs::OFlags;

use super::{
    error::LabelFileError,
    limits::{MAX_FILE, MAX_LINE, MAX_TAKEN},
    line::{split, unquoted},
};

/// Metadata that shows, without reading the file, that its content has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    dev: u64,
    ino: u64,
    size: u64,
    mtime: (i64, i64),
    ctime: (i64, i64),
}

impl Stamp {
    /// The stamp of the file at `path`, links followed.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        Ok(Self::from(&path.metadata()?))
    }
}

impl From<&Metadata> for Stamp {
    fn from(file: &Metadata) -> Self {
        Self {
            dev: file.dev(),
            ino: file.ino(),
            size: file.size(),
            mtime: (file.mtime(), file.mtime_nsec()),
            ctime: (file.ctime(), file.ctime_nsec()),
        }
    }
}

/// Reads the file. Returns the values of the keys that `is_wanted` accepts, and the file's stamp
/// from before the reading.
///
/// # Errors
/// [`LabelFileError`].
pub(super) fn read(
    path: &Path,
    is_wanted: impl Fn(&str) -> bool,
) -> Result<(Stamp, BTreeMap<String, String>), LabelFileError> {
    let unreadable = |source| LabelFileError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = File::options()
        .read(true)
        // Opening a FIFO would wait for its writer.
        .custom_flags(flags.bits().cast_signed())
        .open(path)
        .map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    let owned = || path.to_owned();
    if !metadata.is_file() {
        return Err(LabelFileError::NotAFile { path: owned() });
    }
    let mut reader = BufReader::new(file.take(MAX_FILE + 1));
    let mut values = BTreeMap::new();
    let mut line = Vec::new();
    let (mut total, mut taken) = (0, 0);
    for number in 1.. {
        line.clear();
        let mut length = (&mut reader).take(MAX_LINE).read_until(b'\n', &mut line);
        let is_cut = line.len() as u64 == MAX_LINE && !line.ends_with(b"\n");
        if is_cut {
            length = length.and_then(|length| Ok(length + reader.skip_until(b'\n')?));
        }
        let length = length.map_err(unreadable)?;
        total += length as u64;
        if total > MAX_FILE {
            return Err(LabelFileError::TooBig { path: owned() });
        }
        if length == 0 {
            break;
        }
        let malformed = |why| LabelFileError::Malformed {
            path: owned(),
            line: number,
            why,
        };
        let label = line.strip_suffix(b"\n").unwrap_or(&line);
        let (key, value) = split(label).map_err(malformed)?;
        if !is_wanted(key) {
            continue;
        }
        taken += key.len() + value.len();
        if is_cut || taken > MAX_TAKEN {
            return Err(LabelFileError::TooMany { path: owned() });
        }
        values.insert(key.to_owned(), unquoted(value).map_err(malformed)?);
    }
    Ok((Stamp::from(&metadata), values))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read_text(text: &str) -> Result<BTreeMap<String, String>, LabelFileError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("labels");
        fs::write(&path, text).unwrap();
        read(&path, |key| key != "other").map(|(_, labels)| labels)
    }

    #[test]
    fn each_line_is_a_label() {
        let labels = read_text("a/b=\"1\"\nc=\"x\\ny\"").unwrap();
        assert_eq!(labels["a/b"], "1");
        assert_eq!(labels["c"], "x\ny");
        assert_eq!(read_text("").unwrap().len(), 0);
        assert_eq!(read_text("a=\"\"\n").unwrap().len(), 1);
    }

    #[test]
    fn a_line_that_is_no_label_is_named() {
        for text in ["a=\"1\"\nb=2", "a=\"1\"\n\nb=\"2\"", "a=\"1\"\nb"] {
            let error = read_text(text).unwrap_err();
            assert!(
                matches!(error, LabelFileError::Malformed { line: 2, .. }),
                "{text:?}: {error}"
            );
        }
    }

    /// An annotation that is not taken may be as long as Kubernetes allows.
    #[test]
    fn what_is_not_taken_has_no_limit_of_its_own() {
        let long = "x".repeat(300_000);
        let text = format!("a=\"1\"\nother=\"{long}\"\nb=\"2\"\n");
        let labels = read_text(&text).unwrap();
        assert_eq!(labels.len(), 2);
        let error = read_text(&text.replace("other", "taken")).unwrap_err();
        assert!(matches!(error, LabelFileError::TooMany { .. }), "{error}");
        let many: String = (0..9000).map(|n| format!("key{n}=\"\"\n")).collect();
        let error = read_text(&many).unwrap_err();
        assert!(matches!(error, LabelFileError::TooMany { .. }), "{error}");
        let lines: String = (0..5).map(|_| format!("other=\"{long}\"\n")).collect();
        let error = read_text(&lines).unwrap_err();
        assert!(matches!(error, LabelFileError::TooBig { .. }), "{error}");
    }

    #[test]
    fn what_is_no_regular_file_is_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &fifo,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR,
            0,
        )
        .unwrap();
        for path in [dir.path(), &fifo, Path::new("/dev/null")] {
            let error = read(path, |_| true).unwrap_err();
            assert!(matches!(error, LabelFileError::NotAFile { .. }), "{error}");
        }
        let error = read(&dir.path().join("none"), |_| true).unwrap_err();
        assert!(error.to_string().contains("none"), "{error}");
    }
}
