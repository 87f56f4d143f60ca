//! Parses a request to the init address. The protocol is exectrace's: one POST to `/` with plain
//! text of at most 16 bytes. The text is the inode number of a PID namespace in decimal.

use std::num::ParseIntError;

use hyper::{
    HeaderMap, Method, StatusCode,
    header::{CONTENT_TYPE, HeaderValue},
};

/// Maximum length of the body, bytes.
pub(crate) const MAX_BODY: usize = 16;

/// A request that is not an announcement. The text is the response's body.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Wrong method or path.
    #[error("This server only accepts POST requests at /")]
    MethodOrPath,
    /// Wrong content type.
    #[error("This server only accepts text/plain requests")]
    ContentType,
    /// Body too long.
    #[error("Failed to parse request body: more than {MAX_BODY} bytes")]
    TooLong,
    /// Body did not arrive completely.
    #[error("Failed to parse request body: {0}")]
    Body(String),
    /// Body is not UTF-8.
    #[error("Failed to parse request body: not text")]
    NotText,
    /// Body is not an inode number.
    #[error("Failed to parse request body: {text:?}: {source}")]
    NotANumber {
        /// The body, trimmed.
        text: String,
        /// The parse error.
        source: ParseIntError,
    },
}

impl Malformed {
    /// The status of the response to a malformed request.
    pub const STATUS: StatusCode = StatusCode::BAD_REQUEST;
}

/// Checks the request except its body.
///
/// # Errors
/// [`Malformed::MethodOrPath`], [`Malformed::ContentType`].
pub fn check_head(method: &Method, path: &str, headers: &HeaderMap) -> Result<(), Malformed> {
    if *method != Method::POST || path != "/" {
        return Err(Malformed::MethodOrPath);
    }
    let plain = |value: &HeaderValue| {
        value.to_str().is_ok_and(|value| {
            let media_type = value.split(';').next().unwrap_or_default().trim();
            media_type.is_empty() || media_type.eq_ignore_ascii_case("text/plain")
        })
    };
    // If there are several headers, the first counts, as in exectrace (Go's `Header.Get`). GNU
    // Wget2 sends its own header after the requested one.
    if headers.get(CONTENT_TYPE).is_none_or(plain) {
        Ok(())
    } else {
        Err(Malformed::ContentType)
    }
}

/// Parses the body.
///
/// # Errors
/// [`Malformed::TooLong`], [`Malformed::NotText`], [`Malformed::NotANumber`].
pub fn parse_body(body: &[u8]) -> Result<u32, Malformed> {
    if body.len() > MAX_BODY {
        return Err(Malformed::TooLong);
    }
    let text = std::str::from_utf8(body)
        .map_err(|_| Malformed::NotText)?
        .trim();
    // `u32::from_str` accepts a `+`; Go's `strconv.ParseUint`, and so exectrace, does not.
    let digits = if text.starts_with('+') { "+" } else { text };
    digits.parse().map_err(|source| Malformed::NotANumber {
        text: text.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn head(method: &str, path: &str, content_type: Option<&str>) -> Result<(), Malformed> {
        let mut headers = HeaderMap::new();
        if let Some(value) = content_type {
            headers.insert(CONTENT_TYPE, HeaderValue::from_str(value).unwrap());
        }
        check_head(
            &Method::from_bytes(method.as_bytes()).unwrap(),
            path,
            &headers,
        )
    }

    #[test]
    fn heads() {
        for content_type in [
            None,
            Some(""),
            Some("text/plain"),
            Some("Text/Plain; charset=utf-8"),
        ] {
            assert_eq!(head("POST", "/", content_type), Ok(()));
        }
        for (method, path) in [("GET", "/"), ("PUT", "/"), ("POST", "/x"), ("POST", "")] {
            assert_eq!(head(method, path, None), Err(Malformed::MethodOrPath));
        }
        for content_type in [
            "application/json",
            "text/plainx",
            "application/x-www-form-urlencoded",
        ] {
            assert_eq!(
                head("POST", "/", Some(content_type)),
                Err(Malformed::ContentType)
            );
        }
    }

    #[test]
    fn of_several_content_types_the_first_counts() {
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        let plain = HeaderValue::from_static("text/plain");
        for (first, second, expected) in [
            (&plain, &form, Ok(())),
            (&form, &plain, Err(Malformed::ContentType)),
        ] {
            let mut headers = HeaderMap::new();
            headers.append(CONTENT_TYPE, first.clone());
            headers.append(CONTENT_TYPE, second.clone());
            assert_eq!(check_head(&Method::POST, "/", &headers), expected);
        }
    }

    #[test]
    fn bodies() {
        assert_eq!(parse_body(b"4026531836"), Ok(4_026_531_836));
        assert_eq!(parse_body(b"  4026531836\r\n  "), Ok(4_026_531_836));
        assert_eq!(parse_body(b"0"), Ok(0));
        assert_eq!(parse_body(b"0000000000000001"), Ok(1));
        assert_eq!(parse_body(b"00000000000000001"), Err(Malformed::TooLong));
        assert_eq!(parse_body(b"\xff"), Err(Malformed::NotText));
        for wrong in [
            "",
            " ",
            "-1",
            "+1",
            "1 2",
            "0x10",
            "1e3",
            "4294967296",
            "pid:[1]",
        ] {
            assert!(
                matches!(
                    parse_body(wrong.as_bytes()),
                    Err(Malformed::NotANumber { .. })
                ),
                "{wrong:?} was accepted"
            );
        }
    }

    proptest! {
        #[test]
        fn only_numbers_are_accepted(body in prop::collection::vec(any::<u8>(), 0..32)) {
            if let Ok(number) = parse_body(&body) {
                let text = std::str::from_utf8(&body).unwrap().trim();
                prop_assert_eq!(number.to_string(), text.trim_start_matches('0').to_owned()
                    + if number == 0 { "0" } else { "" });
            }
        }
    }
}
