//! Flags about labels.

use std::{collections::BTreeMap, path::PathBuf};

use clap::Args;
use exectrail_preflight::environment;

use crate::{
    config::{ValueError, label},
    labels::{FileKey, LabelSources},
};

/// Flags about labels.
#[derive(Debug, Args)]
pub(crate) struct LabelArgs {
    /// Label of every line; the last value of a repeated key wins [env: EXECTRAIL_LABEL, one per
    /// line]
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    pub labels: Vec<(String, String)>,

    /// File with labels, as Kubernetes' downward API writes metadata.labels and
    /// metadata.annotations; repeatable [env: EXECTRAIL_LABEL_FILE, one per line]
    ///
    /// The file is looked at once a second. When its labels change, a `labels_changed` line has the
    /// new ones, and so have all lines after it. Labels of files take precedence over those of
    /// --label, and later files over earlier ones. If a file cannot be used any more, its last
    /// labels stay. Mount the volume with the file in exectrail's container only.
    #[arg(long = "label-file", value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// Take only these keys from label files; NAME renames the label; repeatable [env:
    /// EXECTRAIL_LABEL_FILE_KEY, one per line]
    ///
    /// Without it, all keys are taken. Example: username=com.coder.user.username. If no file has
    /// the key, the label keeps its value from --label.
    #[arg(long = "label-file-key", value_name = "[NAME=]KEY")]
    pub keys: Vec<FileKey>,
}

/// Maximum number of label files. A `labels_changed` line has their paths.
const MOST_FILES: usize = 8;
/// Maximum length of the path of one label file, bytes.
const LONGEST_PATH: usize = 256;

/// The variable with labels, one `key=value` per line.
pub(super) const LABELS_VARIABLE: &str = "EXECTRAIL_LABEL";
/// The variable with label files, one per line.
pub(super) const FILES_VARIABLE: &str = "EXECTRAIL_LABEL_FILE";
/// The variable with keys of label files, one per line.
pub(super) const KEYS_VARIABLE: &str = "EXECTRAIL_LABEL_FILE_KEY";

impl LabelArgs {
    /// Labels, label files and keys from the environment, followed by those of the command line.
    ///
    /// # Errors
    /// - A value in the environment is invalid.
    /// - There are too many files, or the path of one is too long.
    /// - Keys are given without files.
    pub(super) fn sources(&self) -> Result<LabelSources, ValueError> {
        let mut flags: BTreeMap<_, _> = parsed(LABELS_VARIABLE, label)?.into_iter().collect();
        flags.extend(self.labels.iter().cloned());
        let mut files: Vec<PathBuf> = parsed(FILES_VARIABLE, |line| Ok(line.into()))?;
        files.extend_from_slice(&self.files);
        let longest = files.iter().map(|path| path.as_os_str().len()).max();
        if files.len() > MOST_FILES || longest.is_some_and(|longest| longest > LONGEST_PATH) {
            return Err(ValueError::LabelFiles {
                files: files.len(),
                longest: longest.unwrap_or_default(),
            });
        }
        let mut keys: Vec<FileKey> = parsed(KEYS_VARIABLE, |line| Ok(line.parse()?))?;
        keys.extend_from_slice(&self.keys);
        if files.is_empty() && !keys.is_empty() {
            return Err(ValueError::KeysWithoutFile);
        }
        Ok(LabelSources { flags, files, keys })
    }
}

/// The values of a variable that holds a list.
fn parsed<T>(
    variable: &'static str,
    parse: impl Fn(&str) -> Result<T, ValueError>,
) -> Result<Vec<T>, ValueError> {
    let lines = environment::lines(variable)?;
    let values: Result<Vec<T>, ValueError> = lines.iter().map(|line| parse(line)).collect();
    values.map_err(|source| ValueError::Variable {
        variable,
        source: Box::new(source),
    })
}
