//! The key by which equal secrets can be recognized (`--redact-key`).

use std::{
    fmt,
    fs::File,
    io::{self, Read as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Minimum length of a key, bytes: the length of an HMAC-SHA-256 (RFC 2104, section 3).
const LEAST: usize = 32;
/// Maximum length of a key, bytes. A longer file is probably not a key.
const MAX_KEY: usize = 64 * 1024;

/// Why a key file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("cannot read the key file {path:?}: {source}; mount it, and make it readable by root")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The file has too few bytes.
    #[error(
        "the key file {path:?} has {len} bytes: a key has 32 to 65536, for example from \
         `head -c 32 /dev/urandom`"
    )]
    Short {
        /// The file.
        path: PathBuf,
        /// Length of the file in bytes.
        len: usize,
    },
    /// The file has too many bytes.
    #[error(
        "the key file {path:?} has more than 65536 bytes: a key has 32 to 65536, for example from \
         `head -c 32 /dev/urandom`"
    )]
    Long {
        /// The file.
        path: PathBuf,
    },
}

/// A key for HMAC-SHA-256.
#[derive(Clone)]
pub(crate) struct Key {
    hmac: Arc<Hmac<Sha256>>,
    /// Whether others than the file's owner and group can read it.
    pub(crate) readable_by_others: bool,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

impl Key {
    /// Reads a key, which is all bytes of the file.
    ///
    /// # Errors
    /// [`KeyError`].
    pub(crate) fn read(path: &Path) -> Result<Self, KeyError> {
        let unreadable = |source| KeyError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let file = File::open(path).map_err(unreadable)?;
        let mode = file.metadata().map_err(unreadable)?.mode();
        let mut bytes = Vec::new();
        file.take(MAX_KEY as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
        let path = path.to_owned();
        if bytes.len() > MAX_KEY {
            return Err(KeyError::Long { path });
        }
        let len = bytes.len();
        if len < LEAST {
            return Err(KeyError::Short { path, len });
        }
        // HMAC accepts a key of any length.
        let hmac = Hmac::new_from_slice(&bytes).map_err(|_| KeyError::Short { path, len })?;
        Ok(Self {
            hmac: Arc::new(hmac),
            readable_by_others: mode & 0o004 != 0,
        })
    }

    /// The id of a secret: the first eight bytes of its HMAC.
    pub(crate) fn id(&self, secret: &[u8]) -> u64 {
        let mut hmac = Hmac::clone(&self.hmac);
        hmac.update(secret);
        let whole = hmac.finalize().into_bytes();
        whole
            .iter()
            .take(8)
            .fold(0, |id, byte| id << 8 | u64::from(*byte))
    }

    /// The id of the key itself: lines with different keys cannot be compared.
    pub(crate) fn key_id(&self) -> u64 {
        self.id(b"exectrail redact key")
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn read(bytes: &[u8], mode: u32) -> Result<Key, KeyError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        std::fs::write(&path, bytes).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        Key::read(&path)
    }

    #[test]
    fn equal_secrets_have_equal_ids_with_one_key() {
        let [one, same, other] = [[1; 32], [1; 32], [2; 32]].map(|key| read(&key, 0o600).unwrap());
        assert_eq!(one.id(b"x"), same.id(b"x"));
        assert_ne!(one.id(b"x"), one.id(b"y"));
        assert_ne!(one.id(b"x"), other.id(b"x"));
        assert_ne!(one.key_id(), other.key_id());
    }

    /// RFC 4231, section 4.2, with a key of 20 bytes made 32 by NULs, which HMAC adds anyway.
    #[test]
    fn an_id_is_the_beginning_of_hmac_sha_256() {
        let key = [[0x0b; 20].as_slice(), &[0; 12]].concat();
        assert_eq!(
            read(&key, 0o600).unwrap().id(b"Hi There"),
            0xb034_4c61_d8db_3853
        );
    }

    #[test]
    fn a_key_that_is_no_key_is_refused() {
        assert!(matches!(
            read(&[1; 31], 0o600),
            Err(KeyError::Short { len: 31, .. })
        ));
        assert!(matches!(
            read(&[1; MAX_KEY + 9], 0o600),
            Err(KeyError::Long { .. })
        ));
        let missing = Key::read(Path::new("/nonexistent/key")).unwrap_err();
        assert!(
            missing.to_string().contains("/nonexistent/key"),
            "{missing}"
        );
        assert!(read(&[1; 32], 0o604).unwrap().readable_by_others);
        assert!(!read(&[1; 32], 0o640).unwrap().readable_by_others);
    }
}
