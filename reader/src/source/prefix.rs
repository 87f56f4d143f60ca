//! Removes what `kubectl logs` and container runtimes write before a line.

/// Which part of a line a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// A whole line, because the source does not divide lines.
    Whole,
    /// A part of a line, but not the last one.
    Partial,
    /// The last part of a line, or the only one.
    Last,
    /// Unknown: the source divides lines, and does not mark the last part of this one.
    Unmarked,
}

/// A text without its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unprefixed<'a> {
    /// The name of the pod and container; empty if the prefix lacks it.
    pub(super) origin: &'a [u8],
    pub(super) text: &'a [u8],
    pub(super) part: Part,
    pub(super) is_stderr: bool,
}

/// Removes `[pod/NAME/CONTAINER] ` (kubectl, `--prefix`) and `TIME ` (`--timestamps`), or `TIME
/// STREAM TAGS ` of a CRI file (pkg/kubelet/kuberuntime/logs/logs.go in Kubernetes).
pub(super) fn without_prefix(line: &[u8]) -> Unprefixed<'_> {
    let mut plain = Unprefixed {
        origin: &[],
        text: line,
        part: Part::Whole,
        is_stderr: false,
    };
    if line.starts_with(b"{") {
        return plain;
    }
    if line.starts_with(b"[")
        && let Some(end) = memchr::memmem::find(line, b"] ")
        && let (Some(origin), Some(rest)) = (line.get(1..end), line.get(end + 2..))
        && is_origin(origin)
    {
        plain.origin = origin;
        plain.text = rest;
    }
    let Some((_, rest)) = word(plain.text).filter(|(time, _)| is_time(time)) else {
        return plain;
    };
    if let Some((stream, rest)) = word(rest)
        && (stream == b"stdout" || stream == b"stderr")
    {
        // After the tags of an empty text, some runtimes write no blank.
        let (tags, text) = word(rest).unwrap_or((rest, &[]));
        let tag = tags.split(|byte| *byte == b':').next();
        let part = match tag {
            Some(b"P") => Part::Partial,
            Some(b"F") => Part::Last,
            _ => return plain,
        };
        let is_stderr = stream == b"stderr";
        return Unprefixed {
            text,
            part,
            is_stderr,
            ..plain
        };
    }
    plain.text = rest;
    plain
}

/// The text before and after the first blank.
fn word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(b' ', text)?;
    Some((text.get(..end)?, text.get(end + 1..)?))
}

/// Whether a text may be `pod/NAME/CONTAINER`: names are RFC 1123 subdomains.
fn is_origin(text: &[u8]) -> bool {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-./".contains(byte);
    text.len() < 1024 && text.contains(&b'/') && text.iter().all(is_name)
}

/// Whether a text may be a time as in RFC 3339, with `T` between date and time.
fn is_time(text: &[u8]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_digit() || b"-:.+TZ".contains(byte);
    (20..=40).contains(&text.len())
        && text.get(10) == Some(&b'T')
        && text.iter().take(4).all(u8::is_ascii_digit)
        && text.iter().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: &str = "2026-11-24T04:04:15.250408602Z";

    fn texts(line: &str) -> (String, String, Part, bool) {
        let found = without_prefix(line.as_bytes());
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let (origin, rest) = (text(found.origin), text(found.text));
        (origin, rest, found.part, found.is_stderr)
    }

    #[test]
    fn prefixes_are_removed() {
        let line = r#"{"ts":"1 2"}"#;
        let pod = "pod/a-b.c-1/exectrail";
        for (prefix, origin, part, is_stderr) in [
            (String::new(), "", Part::Whole, false),
            (format!("{TIME} "), "", Part::Whole, false),
            (format!("[{pod}] "), pod, Part::Whole, false),
            (format!("[{pod}] {TIME} "), pod, Part::Whole, false),
            (format!("{TIME} stdout F "), "", Part::Last, false),
            (format!("{TIME} stderr P "), "", Part::Partial, true),
            (
                "2026-11-24T04:04:15.2+01:00 stdout P:x ".to_owned(),
                "",
                Part::Partial,
                false,
            ),
        ] {
            let expected = (origin.to_owned(), line.to_owned(), part, is_stderr);
            assert_eq!(texts(&format!("{prefix}{line}")), expected, "{prefix}");
        }
        assert_eq!(texts(&format!("{TIME} stdout F")).1, "");
    }

    #[test]
    fn what_only_resembles_a_prefix_stays() {
        for line in [
            "[1, 2] 3",
            "[pod/a b/c] x",
            "2026-11-24 04:04:15 x",
            "stdout F x",
            &format!("{TIME} stdout X text"),
        ] {
            let (_, text, part, _) = texts(line);
            assert_eq!((text.as_str(), part), (line, Part::Whole));
        }
    }
}
