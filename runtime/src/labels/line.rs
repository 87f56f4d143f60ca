//! A line of a label file: `key="value"`, with the escapes of Go's `strconv.Quote`.
//!
//! Kubernetes writes a map of the downward API in this form (`FormatMap`, pkg/fieldpath of
//! Kubernetes 1.33): `fmt.Sprintf` with `%v=%q`.

/// Why a line is not a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LineError {
    /// No key before `=`.
    #[error("it has no key")]
    NoKey,
    /// The value does not begin and end with `"`, or has an unescaped `"` inside.
    #[error("its value is not in double quotes")]
    NotQuoted,
    /// An escape that Go does not write.
    #[error("its value has an unknown escape")]
    Escape,
    /// Bytes that are not text.
    #[error("it is not valid UTF-8")]
    NotText,
}

/// The key of a line, and the quoted value after it.
///
/// # Errors
/// [`LineError::NoKey`], [`LineError::NotText`].
pub(super) fn split(line: &[u8]) -> Result<(&str, &[u8]), LineError> {
    let at = line.iter().position(|byte| *byte == b'=');
    let (key, value) = at
        .and_then(|at| line.split_at_checked(at))
        .filter(|(key, _)| !key.is_empty())
        .ok_or(LineError::NoKey)?;
    let key = str::from_utf8(key).map_err(|_| LineError::NotText)?;
    Ok((key, value.strip_prefix(b"=").unwrap_or_default()))
}

/// The text that Go has quoted.
///
/// # Errors
/// [`LineError::NotQuoted`], [`LineError::Escape`], [`LineError::NotText`].
pub(super) fn unquoted(quoted: &[u8]) -> Result<String, LineError> {
    let inside = quoted
        .strip_prefix(b"\"")
        .and_then(|rest| rest.strip_suffix(b"\""))
        .ok_or(LineError::NotQuoted)?;
    let mut text = Vec::with_capacity(inside.len());
    let mut rest = inside;
    while let Some((byte, after)) = rest.split_first() {
        rest = match byte {
            b'"' => return Err(LineError::NotQuoted),
            b'\\' => escape(after, &mut text)?,
            _ => {
                text.push(*byte);
                after
            }
        };
    }
    String::from_utf8(text).map_err(|_| LineError::NotText)
}

/// Appends the text that an escape stands for; `rest` follows the escape's backslash. Returns the
/// bytes after the escape.
fn escape<'a>(rest: &'a [u8], text: &mut Vec<u8>) -> Result<&'a [u8], LineError> {
    let (kind, after) = rest.split_first().ok_or(LineError::Escape)?;
    let byte = match kind {
        b'a' => 0x07,
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 0x0b,
        b'\\' | b'"' => *kind,
        b'x' => {
            let (code, after) = hexadecimal(after, 2)?;
            text.extend(u8::try_from(code));
            return Ok(after);
        }
        b'u' | b'U' => {
            let digits = if *kind == b'u' { 4 } else { 8 };
            let (code, after) = hexadecimal(after, digits)?;
            let character = char::from_u32(code).ok_or(LineError::Escape)?;
            text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            return Ok(after);
        }
        _ => return Err(LineError::Escape),
    };
    text.push(byte);
    Ok(after)
}

/// A number of this many hexadecimal digits, and the bytes after it.
fn hexadecimal(bytes: &[u8], digits: usize) -> Result<(u32, &[u8]), LineError> {
    let (number, after) = bytes.split_at_checked(digits).ok_or(LineError::Escape)?;
    let number = number
        .iter()
        .try_fold(0, |number, digit| {
            Some(number << 4 | char::from(*digit).to_digit(16)?)
        })
        .ok_or(LineError::Escape)?;
    Ok((number, after))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The left column is the result of `strconv.Quote` for the right column, except in the last
    /// row.
    #[test]
    fn text_is_as_it_was_before_go_quoted_it() {
        for (quoted, text) in [
            (r#""""#, ""),
            (r#""jessie""#, "jessie"),
            (r#""a=b \"c\" \\ '""#, r#"a=b "c" \ '"#),
            (
                r#""\a\b\f\n\r\t\v\x00\x1b\x7f""#,
                "\u{7}\u{8}\u{c}\n\r\t\u{b}\0\u{1b}\u{7f}",
            ),
            (
                r#""Zoë 工作区 \u200b\u202e\U000e0001 😀""#,
                "Zoë 工作区 \u{200b}\u{202e}\u{e0001} 😀",
            ),
            // Go writes these two bytes unchanged, because they are a character.
            (r#""\xc3\xab""#, "ë"),
        ] {
            assert_eq!(unquoted(quoted.as_bytes()).as_deref(), Ok(text), "{quoted}");
        }
    }

    #[test]
    fn what_go_does_not_write_is_refused() {
        for (quoted, error) in [
            ("", LineError::NotQuoted),
            ("\"", LineError::NotQuoted),
            ("jessie", LineError::NotQuoted),
            (r#""a"b""#, LineError::NotQuoted),
            (r#""a" "#, LineError::NotQuoted),
            (r#""\""#, LineError::Escape),
            (r#""\q""#, LineError::Escape),
            (r#""\'""#, LineError::Escape),
            (r#""\x1""#, LineError::Escape),
            (r#""\xg0""#, LineError::Escape),
            (r#""\u+123""#, LineError::Escape),
            (r#""\ud800""#, LineError::Escape),
            (r#""\U00110000""#, LineError::Escape),
            (r#""\xff""#, LineError::NotText),
        ] {
            assert_eq!(unquoted(quoted.as_bytes()), Err(error), "{quoted}");
        }
        assert_eq!(unquoted(b"\"\xff\""), Err(LineError::NotText));
    }

    #[test]
    fn the_key_ends_at_the_first_equals_sign() {
        assert_eq!(split(br#"a.b/c="d=e""#), Ok(("a.b/c", &br#""d=e""#[..])));
        assert_eq!(split(b"=\"d\""), Err(LineError::NoKey));
        assert_eq!(split(b"key"), Err(LineError::NoKey));
        assert_eq!(split(b""), Err(LineError::NoKey));
        assert_eq!(split(b"\xff=\"\""), Err(LineError::NotText));
    }

    /// Like `strconv.Quote`, but escapes everything that is not ASCII.
    fn quote(text: &str) -> String {
        let mut quoted = String::from("\"");
        for character in text.chars() {
            let code = u32::from(character);
            match character {
                '"' | '\\' => quoted.extend(['\\', character]),
                ' '..='~' => quoted.push(character),
                _ if code < 0x80 => quoted += &format!("\\x{code:02x}"),
                _ if code < 0x10000 => quoted += &format!("\\u{code:04x}"),
                _ => quoted += &format!("\\U{code:08x}"),
            }
        }
        quoted + "\""
    }

    proptest! {
        #[test]
        fn quoting_loses_nothing(text in any::<String>()) {
            prop_assert_eq!(unquoted(quote(&text).as_bytes()), Ok(text));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Ok((_, value)) = split(&bytes) {
                let _ = unquoted(value);
            }
            let _ = unquoted(&[b"\"", &bytes[..], b"\""].concat());
        }
    }
}
