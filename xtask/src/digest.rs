//! SHA-256, in hexadecimal.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use sha2::{Digest as _, Sha256};

/// The checksum of `bytes`.
pub(crate) fn of(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The checksum of a file.
pub(crate) fn of_file(file: &Path) -> Result<String> {
    let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(of(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first example of FIPS 180-2, as sha256sum prints it.
    #[test]
    fn the_digest_is_that_of_sha256sum() {
        assert_eq!(
            of(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
