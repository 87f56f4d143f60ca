//! The formatter by which serde writes JSON in a line.

use std::io;

use serde_json::ser::{CompactFormatter, Formatter};

use crate::output::quote::is_unseen;

/// Compact JSON that also escapes characters that act on a display: DEL, C1 controls, bidi marks
/// and line separators. JSON itself does not require escapes for these (RFC 8259, section 7).
pub(super) struct EscapeUnseen;

impl Formatter for EscapeUnseen {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let printable = |byte: u8| byte.is_ascii() && byte != 0x7f;
        if fragment.bytes().all(printable) || !fragment.contains(is_unseen) {
            return CompactFormatter.write_string_fragment(writer, fragment);
        }
        for part in fragment.split_inclusive(is_unseen) {
            match part.chars().next_back().filter(|last| is_unseen(*last)) {
                Some(unseen) => {
                    let seen = &part[..part.len() - unseen.len_utf8()];
                    write!(writer, "{seen}\\u{:04x}", u32::from(unseen))?;
                }
                None => writer.write_all(part.as_bytes())?,
            }
        }
        Ok(())
    }
}
