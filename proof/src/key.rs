//! Signatures of lines with Ed25519 (RFC 8032), and the private and public keys for them.
//!
//! The signature is the last JSON key of a line, `sig`. It signs [`DOMAIN`] and every byte of the
//! line before the comma of that key.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use ed25519_dalek::{
    Signature, Signer as _, SigningKey, VerifyingKey,
    pkcs8::{self, DecodePrivateKey as _, DecodePublicKey as _, spki},
};

use super::chain::{bytes, hex};

/// Is put before the signed bytes, so that a signature made for another purpose is never valid for
/// a line.
const DOMAIN: &[u8] = b"exectrail line 1\n";
/// The text between the signed bytes and the digits of the signature.
const KEY: &[u8] = br#","sig":""#;
/// The end of a signed line.
const END: &[u8] = br#""}"#;
/// Bytes of a signature.
const SIGNATURE: usize = 64;
/// Maximum size of a file with a key.
const MAX_BYTES: u64 = 16 * 1024;

/// A key that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SigningKeyError {
    /// The file cannot be read.
    #[error("cannot read the key {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The kernel's error, or what is wrong with the file's size or text.
        source: io::Error,
    },
    /// Not a private key.
    #[error(
        "{} is not an Ed25519 private key in PEM (PKCS#8): {source}; make one with \
        `openssl genpkey -algorithm ed25519`", path.display())]
    Private {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: pkcs8::Error,
    },
    /// Not a public key.
    #[error(
        "{} is not an Ed25519 public key in PEM: {source}; make it from the private key with \
        `openssl pkey -pubout`", path.display())]
    Public {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: spki::Error,
    },
}

/// The file is longer than any key.
#[derive(Debug, thiserror::Error)]
#[error("the file has more than {} KiB, and a key has less than one", MAX_BYTES / 1024)]
struct TooLong;

/// Reads a file with a key.
fn read(path: &Path) -> Result<String, SigningKeyError> {
    let read = || {
        let mut bytes = Vec::new();
        File::open(path)?
            .take(MAX_BYTES + 1)
            .read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(io::Error::other(TooLong));
        }
        String::from_utf8(bytes).map_err(io::Error::other)
    };
    read().map_err(|source| SigningKeyError::Read {
        path: path.to_owned(),
        source,
    })
}

/// Signs lines.
#[derive(Clone, Debug)]
pub struct Signer(Box<SigningKey>);

impl Signer {
    /// Reads the private key.
    ///
    /// # Errors
    /// If the file cannot be read, or has no such key.
    pub fn open(path: &Path) -> Result<Self, SigningKeyError> {
        let key = SigningKey::from_pkcs8_pem(&read(path)?).map_err(|source| {
            SigningKeyError::Private {
                path: path.to_owned(),
                source,
            }
        })?;
        Ok(Self(Box::new(key)))
    }

    /// The public key, in hexadecimal digits.
    pub fn public(&self) -> String {
        hex(self.0.verifying_key().as_bytes())
    }

    /// Adds the signature to `line`, a JSON object without a line break.
    pub fn sign(&self, line: &mut Vec<u8>) {
        line.truncate(line.len().saturating_sub(1));
        let signature = self.0.sign(&[DOMAIN, line].concat());
        line.extend_from_slice(KEY);
        line.extend_from_slice(hex(&signature.to_bytes()).as_bytes());
        line.extend_from_slice(END);
    }
}

/// Divides a signed line into the signed bytes and the digits of the signature.
fn divide(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let before_end = line.strip_suffix(END)?;
    let at = before_end.len().checked_sub(2 * SIGNATURE)?;
    let (before, digits) = before_end.split_at_checked(at)?;
    Some((before.strip_suffix(KEY)?, digits))
}

/// Whether a line has a signature, valid or not.
pub fn is_signed(line: &[u8]) -> bool {
    divide(line).is_some()
}

/// Checks signatures.
#[derive(Clone, Debug)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Reads the public key.
    ///
    /// # Errors
    /// If the file cannot be read, or has no such key.
    pub fn open(path: &Path) -> Result<Self, SigningKeyError> {
        VerifyingKey::from_public_key_pem(&read(path)?)
            .map(Self)
            .map_err(|source| SigningKeyError::Public {
                path: path.to_owned(),
                source,
            })
    }

    /// The key in hexadecimal digits.
    pub fn text(&self) -> String {
        hex(self.0.as_bytes())
    }

    /// Whether `line` has a valid signature by this key.
    pub fn has_signed(&self, line: &[u8]) -> bool {
        let Some((signed, digits)) = divide(line) else {
            return false;
        };
        let Some(signature) = bytes(digits) else {
            return false;
        };
        let message = [DOMAIN, signed].concat();
        let signature = Signature::from_bytes(&signature);
        self.0.verify_strict(&message, &signature).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The private key of RFC 8410, section 10.3, and its public key.
    const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
        -----END PRIVATE KEY-----\n";
    const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
        -----END PUBLIC KEY-----\n";

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn every_byte_of_a_signed_line_counts() {
        let signer = Signer::open(file(PRIVATE).path()).unwrap();
        let public = PublicKey::open(file(PUBLIC).path()).unwrap();
        assert_eq!(signer.public(), public.text());
        let mut line = br#"{"ts":"1","fields":{"line":7}}"#.to_vec();
        assert!(!is_signed(&line) && !public.has_signed(&line));
        signer.sign(&mut line);
        assert!(is_signed(&line) && public.has_signed(&line));
        serde_json::from_slice::<serde_json::Value>(&line).unwrap();
        for at in 0..line.len() {
            for with in [line[at] ^ 1, line[at] ^ 0x20] {
                let mut other = line.clone();
                other[at] = with;
                assert!(!public.has_signed(&other), "{at}: {with}");
            }
            let mut shorter = line.clone();
            shorter.remove(at);
            assert!(!public.has_signed(&shorter), "{at}");
        }
    }

    #[test]
    fn a_wrong_key_is_named_with_the_remedy() {
        let error = Signer::open(file(PUBLIC).path()).unwrap_err().to_string();
        assert!(error.contains("openssl genpkey"), "{error}");
        let error = PublicKey::open(file(PRIVATE).path()).unwrap_err();
        assert!(
            error.to_string().contains("openssl pkey -pubout"),
            "{error}"
        );
        let error = Signer::open(Path::new("/nowhere/key.pem")).unwrap_err();
        assert!(error.to_string().contains("/nowhere/key.pem"), "{error}");
    }

    #[test]
    fn a_long_file_is_refused_as_a_whole() {
        let padded =
            |length: usize| format!("{}\n{PRIVATE}", "x".repeat(length - 1 - PRIVATE.len()));
        let max = usize::try_from(MAX_BYTES).unwrap();
        Signer::open(file(&padded(max)).path()).unwrap();
        let error = Signer::open(file(&padded(max + 1)).path()).unwrap_err();
        assert!(error.to_string().contains("more than 16 KiB"), "{error}");
    }
}
