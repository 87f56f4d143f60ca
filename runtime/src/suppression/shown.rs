//! A value in an error message. A long value is cut.

use std::fmt;

/// Maximum length of a value in a message, in bytes before its characters are escaped.
const LONGEST: usize = 200;

/// A value as a message shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown(String);

impl Shown {
    /// The value in quotes, with escapes.
    pub(crate) fn quoted(value: &str) -> Self {
        let (beginning, whole) = beginning(value);
        Self(if whole {
            format!("{beginning:?}")
        } else {
            format!("{beginning:?}… ({} bytes)", value.len())
        })
    }

    /// The value without quotes, with escapes. A long value is cut without a mark.
    pub(crate) fn plain(value: &str) -> Self {
        Self(beginning(value).0.escape_debug().to_string())
    }
}

/// The beginning of a value, and whether that is all of it.
fn beginning(value: &str) -> (&str, bool) {
    if value.len() <= LONGEST {
        return (value, true);
    }
    (
        value
            .get(..value.floor_char_boundary(LONGEST))
            .unwrap_or_default(),
        false,
    )
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_value_is_shown_in_part() {
        let long = "é".repeat(100_000);
        let shown = Shown::quoted(&long).to_string();
        assert!(
            shown.len() < 240 && shown.ends_with("(200000 bytes)"),
            "{shown}"
        );
        assert_eq!(Shown::quoted("a\n").to_string(), r#""a\n""#);
    }
}
