//! Which key of the label files becomes which label (`--label-file-key`).

use std::str::FromStr;

use crate::suppression::shown::Shown;

/// A key of the label files, and the name of the label that has its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileKey {
    /// The name of the label.
    pub(super) name: String,
    /// The key in the files.
    pub(super) key: String,
}

/// Not a key of label files.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0} names no key of label files: write NAME=KEY, such as username=com.coder.user.username, \
     or KEY alone for a label of that name"
)]
pub struct FileKeyError(Shown);

impl FromStr for FileKey {
    type Err = FileKeyError;

    fn from_str(text: &str) -> Result<Self, FileKeyError> {
        // No key of a Kubernetes label or annotation has `=` in it.
        let (name, key) = text.split_once('=').unwrap_or((text, text));
        if name.is_empty() || key.is_empty() || key.contains('=') {
            return Err(FileKeyError(Shown::quoted(text)));
        }
        Ok(Self {
            name: name.to_owned(),
            key: key.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_keeps_its_name_or_gets_another() {
        let key = |text: &str| text.parse::<FileKey>().map(|key| (key.name, key.key));
        let both = |name: &str, key: &str| Ok((name.to_owned(), key.to_owned()));
        assert_eq!(key("a.b/c"), both("a.b/c", "a.b/c"));
        assert_eq!(key("user=a.b/c"), both("user", "a.b/c"));
        for wrong in ["", "=", "a=", "=a", "a=b=c"] {
            let error = key(wrong).unwrap_err().to_string();
            assert!(error.contains("NAME=KEY"), "{error}");
        }
    }
}
