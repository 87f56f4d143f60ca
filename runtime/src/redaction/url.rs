//! User and password in a URL: `scheme://user:password@host`.

/// Facts about the text so far, so that the time is proportional to the length of the text.
#[derive(Debug, Default)]
pub(super) struct Urls {
    /// End of the part without blanks and quotes that was examined last, and the last `@` in it.
    examined: Option<(usize, Option<usize>)>,
    covered: usize,
}

impl Urls {
    /// The place of user and password after the `://` that begins at `at` and ends at `from`.
    pub(super) fn userinfo(
        &mut self,
        text: &[u8],
        at: usize,
        from: usize,
        cut: bool,
    ) -> Option<(usize, usize)> {
        if from < self.covered {
            return None;
        }
        let rest = text.get(from..)?;
        let length = rest
            .iter()
            .take_while(|byte| !ends_authority(**byte))
            .count();
        let (authority, after) = rest.split_at_checked(length)?;
        let strict = authority.iter().rposition(|byte| *byte == b'@');
        let colon = authority.iter().position(|byte| *byte == b':');
        let end = match strict {
            Some(end) => from + end,
            // The text is cut inside the authority, perhaps before an `@`.
            None if cut && after.is_empty() => text.len(),
            None => {
                // A port follows the colon, or a password with a slash in it.
                let port = authority.get(colon? + 1..).unwrap_or_default();
                if !port.is_empty() && port.iter().all(u8::is_ascii_digit) {
                    return None;
                }
                match self.last_at(text, from) {
                    Some(last) if last > from => last,
                    _ if cut && self.examined.is_some_and(|(end, _)| end == text.len()) => {
                        text.len()
                    }
                    _ => return None,
                }
            }
        };
        let whole = text.get(from..end).unwrap_or_default();
        let has_password = whole.contains(&b':')
            || whole
                .windows(3)
                .any(|part| part.eq_ignore_ascii_case(b"%3a"));
        if !has_password && !is_web(text, at) {
            // Only a name, as in ssh://git@host.
            return None;
        }
        self.covered = end;
        Some((from, end))
    }

    /// The last `@` before the next blank or quote after `from`.
    fn last_at(&mut self, text: &[u8], from: usize) -> Option<usize> {
        if let Some((end, last)) = self.examined
            && from < end
        {
            return last;
        }
        let mut last = None;
        let mut end = text.len();
        for (index, byte) in text.iter().enumerate().skip(from) {
            match byte {
                b'@' => last = Some(index),
                b'"' | b'\'' => {
                    end = index;
                    break;
                }
                byte if byte.is_ascii_whitespace() => {
                    end = index;
                    break;
                }
                _ => {}
            }
        }
        self.examined = Some((end, last));
        last
    }
}

/// Whether the scheme before `at` is http or https, where a name alone can be a token.
fn is_web(text: &[u8], at: usize) -> bool {
    let before = text.get(..at).unwrap_or_default();
    let ends_with = |scheme: &[u8]| {
        let from = before.len().checked_sub(scheme.len());
        from.and_then(|from| before.get(from..))
            .is_some_and(|end| end.eq_ignore_ascii_case(scheme))
    };
    ends_with(b"http") || ends_with(b"https")
}

fn ends_authority(byte: u8) -> bool {
    byte.is_ascii_whitespace()
        || matches!(
            byte,
            b'/' | b'?' | b'#' | b'"' | b'\'' | b'<' | b'>' | b'\\'
        )
}
