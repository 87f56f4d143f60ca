//! Numbers of bytes with a binary unit, as flags have them: `16MiB`.

use std::fmt;

/// The units, the largest first: each with the spelling that is written, and other spellings that
/// are read.
const UNITS: [(u64, &str, &[&str]); 4] = [
    (1 << 30, "GiB", &["Gi", "G"]),
    (1 << 20, "MiB", &["Mi", "M"]),
    (1 << 10, "KiB", &["Ki", "K"]),
    (1, "B", &[""]),
];

/// A number of bytes, written in the largest unit that divides it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes(pub u64);

impl Bytes {
    /// Reads a number with or without a unit. `None` if the text is something else, or the number
    /// has more than 64 bits.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let name = text.get(digits.len()..)?;
        let (unit, ..) = UNITS
            .iter()
            .find(|(_, usual, others)| *usual == name || others.contains(&name))?;
        // `str::parse` would also accept a leading `+`.
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        digits.parse::<u64>().ok()?.checked_mul(*unit).map(Self)
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = UNITS
            .iter()
            .find(|(unit, ..)| self.0.is_multiple_of(*unit) && self.0 >= *unit);
        let (unit, name, _) = found.unwrap_or(&(1, "B", &[]));
        write!(f, "{}{name}", self.0 / unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for (bytes, text) in [
            (0, "0B"),
            (1, "1B"),
            (1023, "1023B"),
            (1024, "1KiB"),
            (3 << 20, "3MiB"),
            ((1 << 20) + 1, "1048577B"),
            (7 << 30, "7GiB"),
        ] {
            assert_eq!(Bytes(bytes).to_string(), text);
            assert_eq!(Bytes::parse(text), Some(Bytes(bytes)));
        }
    }

    #[test]
    fn other_spellings_are_read_and_other_units_are_not() {
        for text in ["4096", "4096B", "4K", "4Ki", "4KiB"] {
            assert_eq!(Bytes::parse(text), Some(Bytes(4096)), "{text}");
        }
        for wrong in [
            "",
            "KiB",
            "1MB",
            "1kib",
            "1 KiB",
            "-1",
            "+1",
            "1é",
            "1.5MiB",
            "17179869184GiB",
        ] {
            assert_eq!(Bytes::parse(wrong), None, "{wrong:?} was accepted");
        }
    }
}
