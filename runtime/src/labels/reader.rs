//! Reads the label files, and reads a file again when it has changed.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use super::{
    error::LabelFileError,
    file::{Stamp, read},
    file_key::FileKey,
};

/// Where labels come from.
#[derive(Clone, Debug, Default)]
pub(crate) struct LabelSources {
    /// Labels of flags.
    pub(crate) flags: BTreeMap<String, String>,
    /// Label files; those that come later take precedence.
    pub(crate) files: Vec<PathBuf>,
    /// The keys that are taken from the files; all keys if this is empty.
    pub(crate) keys: Vec<FileKey>,
}

/// Reads label files.
#[derive(Debug)]
pub(crate) struct LabelReader {
    sources: LabelSources,
    files: Vec<LabelFile>,
}

/// The last reading of a label file.
#[derive(Debug, Default)]
struct LabelFile {
    path: PathBuf,
    /// Stamp of the file at that time.
    stamp: Option<Stamp>,
    /// Whether the file was read twice with this stamp. A file can change twice within one tick of
    /// the clock that dates changes, and then both changes leave the same stamp. Files are looked
    /// at once per second (`actors/label_files.rs`), so the second reading is after that tick.
    is_settled: bool,
    values: BTreeMap<String, String>,
}

impl LabelReader {
    /// Reads all files for the first time.
    ///
    /// # Errors
    /// If one of them cannot be used.
    pub(crate) fn open(sources: LabelSources) -> Result<Self, LabelFileError> {
        let mut reader = Self {
            files: Vec::new(),
            sources,
        };
        for path in &reader.sources.files {
            let mut file = LabelFile {
                path: path.clone(),
                ..LabelFile::default()
            };
            file.look(&reader.sources.keys)?;
            reader.files.push(file);
        }
        Ok(reader)
    }

    /// Whether there are files, so that labels can change.
    pub(crate) fn has_files(&self) -> bool {
        !self.files.is_empty()
    }

    /// Reads the files that have changed. Returns the paths of the files whose labels have changed.
    /// If a file cannot be used, its labels stay, and the error is returned; of several errors, the
    /// last.
    pub(crate) fn look(&mut self) -> (Vec<String>, Result<(), LabelFileError>) {
        let mut changed = Vec::new();
        let mut result = Ok(());
        for file in &mut self.files {
            match file.look(&self.sources.keys) {
                Ok(true) => changed.push(file.path.to_string_lossy().into_owned()),
                Ok(false) => {}
                Err(error) => result = Err(error),
            }
        }
        (changed, result)
    }

    /// The labels of the last readings. Labels of files replace labels of flags.
    pub(crate) fn labels(&self) -> BTreeMap<String, String> {
        let mut labels = self.sources.flags.clone();
        let values = self.values();
        let as_label = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        if self.sources.keys.is_empty() {
            labels.extend(values.into_iter().map(as_label));
        } else {
            let keys = self.sources.keys.iter();
            let found = keys.filter_map(|FileKey { name, key }| {
                let value = values.get(key.as_str())?;
                Some(as_label((name, value)))
            });
            labels.extend(found);
        }
        labels
    }

    /// Wanted keys that no file has.
    pub(crate) fn absent_keys(&self) -> Vec<&str> {
        let values = self.values();
        let keys: BTreeSet<&str> = self.sources.keys.iter().map(|key| &*key.key).collect();
        keys.into_iter()
            .filter(|key| !values.contains_key(key))
            .collect()
    }

    /// The values of all files by key.
    fn values(&self) -> BTreeMap<&str, &str> {
        let values = self.files.iter().flat_map(|file| &file.values);
        values.map(|(key, value)| (&**key, &**value)).collect()
    }
}

impl LabelFile {
    /// Reads the file if it may have changed. Returns whether its values have changed.
    fn look(&mut self, keys: &[FileKey]) -> Result<bool, LabelFileError> {
        let stamp = Stamp::of(&self.path).map_err(|source| LabelFileError::Unreadable {
            path: self.path.clone(),
            source,
        })?;
        if self.is_settled && self.stamp == Some(stamp) {
            return Ok(false);
        }
        let is_wanted = |key: &str| keys.is_empty() || keys.iter().any(|taken| taken.key == key);
        let (stamp, values) = read(&self.path, is_wanted)?;
        self.is_settled = self.stamp.replace(stamp) == Some(stamp);
        let has_changed = self.values != values;
        self.values = values;
        Ok(has_changed)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path, thread::sleep, time::Duration};

    use super::*;

    /// More than a tick of the clock that dates changes.
    const TICK: Duration = Duration::from_millis(20);

    fn reader(dir: &Path, keys: &[&str]) -> LabelReader {
        let flags = [("user", "nobody"), ("fixed", "yes")];
        let flags = flags.map(|(key, value)| (key.to_owned(), value.to_owned()));
        LabelReader::open(LabelSources {
            flags: flags.into(),
            files: ["labels", "annotations"].map(|name| dir.join(name)).into(),
            keys: keys.iter().map(|key| key.parse().unwrap()).collect(),
        })
        .unwrap()
    }

    fn write(dir: &Path, name: &str, text: &str) {
        fs::write(dir.join(name), text).unwrap();
    }

    fn json(reader: &LabelReader) -> String {
        serde_json::to_string(&reader.labels()).unwrap()
    }

    #[test]
    fn files_replace_flags_and_later_files_replace_earlier_ones() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        write(dir, "labels", "a.b/user=\"jessie\"\nc=\"1\"");
        write(dir, "annotations", "c=\"2\"\nmail=\"j@example.com\"");
        assert_eq!(
            json(&reader(dir, &[])),
            r#"{"a.b/user":"jessie","c":"2","fixed":"yes","mail":"j@example.com","user":"nobody"}"#
        );
        let reader = reader(dir, &["user=a.b/user", "c", "id=none"]);
        assert_eq!(json(&reader), r#"{"c":"2","fixed":"yes","user":"jessie"}"#);
        assert_eq!(reader.absent_keys(), ["none"]);
    }

    #[test]
    fn a_change_is_seen_and_nothing_else_is() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        write(dir, "labels", "user=\"prebuilds\"");
        write(dir, "annotations", "");
        let mut reader = reader(dir, &["user"]);
        let labels = dir.join("labels").to_string_lossy().into_owned();
        for _ in 0..3 {
            sleep(TICK);
            assert_eq!(reader.look().0, [""; 0]);
        }
        // New content of the same length, in place, directly after the reading.
        write(dir, "labels", "user=\"prebuilt!\"");
        assert_eq!(reader.look().0, [labels.as_str()]);
        write(dir, "labels", "user=\"prebuilt?\"");
        assert_eq!(reader.look().0, [labels.as_str()]);
        // Another order and other keys do not change the labels.
        write(dir, "labels", "z=\"1\"\nuser=\"prebuilt?\"");
        assert_eq!(reader.look().0, [""; 0]);
        assert!(json(&reader).contains("prebuilt?"));
    }

    #[test]
    fn the_last_good_labels_stay() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        write(dir, "labels", "user=\"jessie\"");
        write(dir, "annotations", "mail=\"1\"");
        let mut reader = reader(dir, &["user", "mail"]);
        let before = json(&reader);
        write(dir, "labels", "user=jessie");
        assert!(matches!(
            reader.look().1,
            Err(LabelFileError::Malformed { .. })
        ));
        fs::remove_file(dir.join("labels")).unwrap();
        write(dir, "annotations", "mail=\"22\"");
        let (changed, result) = reader.look();
        assert_eq!(changed.len(), 1);
        assert!(matches!(result, Err(LabelFileError::Unreadable { .. })));
        assert_eq!(json(&reader), before.replace("\"1\"", "\"22\""));
        write(dir, "labels", "");
        assert_eq!(reader.look().0.len(), 1);
        assert!(json(&reader).contains("nobody"));
    }
}
