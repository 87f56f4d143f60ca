//! Converts bytes to text without loss. Bytes that are UTF-8 as a whole are unchanged; all others
//! are escaped.

use std::fmt;

use serde::{Serialize, Serializer};

/// Whether `bytes` must be escaped in text.
pub(super) fn needs_escape(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err()
}

/// `bytes` unchanged or escaped: `\` as `\\`, and each byte that is not in a UTF-8 character as
/// `\xHH`. The key `escaped` of the line lists the keys whose text is escaped.
pub(super) struct Text<'a> {
    pub(super) bytes: &'a [u8],
    /// Whether the text is escaped. All words of an argv are, if one of them is not UTF-8.
    pub(super) escaped: bool,
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.bytes.utf8_chunks() {
            if self.escaped {
                for (index, part) in chunk.valid().split('\\').enumerate() {
                    f.write_str(if index == 0 { "" } else { "\\\\" })?;
                    f.write_str(part)?;
                }
            } else {
                f.write_str(chunk.valid())?;
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(self.bytes) {
            Ok(text) if !self.escaped => serializer.serialize_str(text),
            _ => serializer.collect_str(self),
        }
    }
}
