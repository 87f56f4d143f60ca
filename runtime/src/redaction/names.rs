//! Which names of options, variables, headers and parameters say that their value is a secret.

/// Longest name that is examined, in bytes. Of a longer name, the end is examined.
pub(super) const LONGEST: usize = 128;

/// The text search looks for these, in upper and lower case. It finds only names that contain one
/// of them. The texts with a `=` are for the names in [`QUERY`].
pub(super) const FRAGMENTS: [&str; 16] = [
    "pass",
    "pwd",
    "secret",
    "token",
    "key",
    "cred",
    "auth",
    "cookie",
    "connection",
    "jwt",
    "bearer",
    "otp",
    "psk",
    "sig=",
    "signature=",
    "code=",
];

/// Names that end with these denote a secret. Separators, and digits at the end of the name, do not
/// count. Each has one of [`FRAGMENTS`], or the search would not find it.
const ENDINGS: [&[u8]; 43] = [
    b"password",
    b"passwords",
    b"passwd",
    b"passphrase",
    b"passcode",
    b"passin",
    b"passout",
    b"passkey",
    b"pwd",
    b"secret",
    b"secrets",
    b"token",
    b"apikey",
    b"apikeys",
    b"accesskey",
    b"secretkey",
    b"privatekey",
    b"signingkey",
    b"encryptionkey",
    b"masterkey",
    b"authkey",
    b"accountkey",
    b"sharedkey",
    b"subscriptionkey",
    b"functionskey",
    b"servicekey",
    b"deploykey",
    b"storepass",
    b"keypass",
    b"dbpass",
    b"userpass",
    b"rootpass",
    b"adminpass",
    b"requirepass",
    b"masterauth",
    b"credential",
    b"credentials",
    b"authorization",
    b"cookie",
    b"cookies",
    b"connectionstring",
    b"bearer",
    b"sessionkey",
];

/// Names whose last part is one of these denote a secret.
const LAST: [&[u8]; 5] = [b"pass", b"auth", b"psk", b"jwt", b"otp"];

/// Names that have one of these parts denote a secret.
const PARTS: [&[u8]; 6] = [
    b"password",
    b"passwd",
    b"passphrase",
    b"secret",
    b"credential",
    b"credentials",
];

/// Exceptions to all lists: names whose last part is one of these are about a secret, but their
/// value is none.
const HARMLESS: [&[u8]; 62] = [
    b"file",
    b"files",
    b"path",
    b"dir",
    b"directory",
    b"url",
    b"uri",
    b"name",
    b"names",
    b"type",
    b"id",
    b"ids",
    b"ttl",
    b"expiry",
    b"expires",
    b"expiration",
    b"length",
    b"len",
    b"size",
    b"count",
    b"policy",
    b"endpoint",
    b"arn",
    b"stdin",
    b"prompt",
    b"store",
    b"format",
    b"version",
    b"env",
    b"var",
    b"field",
    b"header",
    b"ref",
    b"command",
    b"cmd",
    b"helper",
    b"provider",
    b"manager",
    b"server",
    b"host",
    b"port",
    b"user",
    b"username",
    b"jar",
    b"age",
    b"lifetime",
    b"timeout",
    b"max",
    b"min",
    b"limit",
    b"only",
    b"enabled",
    b"required",
    b"method",
    b"mode",
    b"algorithm",
    b"alg",
    b"rotation",
    b"fd",
    b"exists",
    b"interactive",
    b"sock",
];

/// Exceptions to all lists: names of several parts, the first of which is one of these, switch
/// something off or on.
const SWITCHES: [&[u8]; 5] = [b"no", b"without", b"ask", b"skip", b"disable"];

/// Names that denote a secret only in a query (`?sig=…`).
const QUERY: [&[u8]; 6] = [
    b"sig",
    b"signature",
    b"key",
    b"xamzsignature",
    b"code",
    b"xgoogsignature",
];

/// Whether a byte can be in a name.
pub(super) fn is_in_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

/// The parts of a name, which is divided at separators and before a capital letter that follows a
/// lower-case one.
struct Parts {
    /// All letters and digits, in lower case.
    letters: [u8; LONGEST],
    /// End of each part.
    ends: [usize; LONGEST],
    parts: usize,
    len: usize,
}

impl Parts {
    fn of(name: &[u8]) -> Self {
        let name = name
            .get(name.len().saturating_sub(LONGEST)..)
            .unwrap_or(name);
        let mut parts = Self {
            letters: [0; LONGEST],
            ends: [0; LONGEST],
            parts: 0,
            len: 0,
        };
        let mut before = b'_';
        for byte in name {
            let separates = !byte.is_ascii_alphanumeric();
            if separates || (byte.is_ascii_uppercase() && before.is_ascii_lowercase()) {
                parts.end_part();
            }
            if !separates && let Some(place) = parts.letters.get_mut(parts.len) {
                *place = byte.to_ascii_lowercase();
                parts.len += 1;
            }
            before = *byte;
        }
        parts.end_part();
        parts
    }

    fn end_part(&mut self) {
        let last = self.parts.checked_sub(1).map_or(0, |last| self.ends[last]);
        if self.len > last
            && let Some(end) = self.ends.get_mut(self.parts)
        {
            *end = self.len;
            self.parts += 1;
        }
    }

    /// The parts, first to last.
    fn all(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        (0..self.parts).filter_map(|part| {
            let start = part.checked_sub(1).map_or(0, |before| self.ends[before]);
            self.letters.get(start..self.ends[part])
        })
    }

    fn joined(&self) -> &[u8] {
        self.letters.get(..self.len).unwrap_or_default()
    }
}

/// A name without digits at its end: `PASSWORD2`.
fn without_digits(name: &[u8]) -> &[u8] {
    let digits = name
        .iter()
        .rev()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    name.get(..name.len() - digits).unwrap_or_default()
}

/// Whether the value of `name` is a secret. In a `query`, the names in [`QUERY`] count, too.
pub(super) fn is_secret(name: &[u8], query: bool) -> bool {
    let parts = Parts::of(name);
    let last = parts
        .all()
        .map(without_digits)
        .rfind(|part| !part.is_empty());
    let Some(last) = last else { return false };
    let first = parts.all().next().unwrap_or_default();
    if HARMLESS.contains(&last) || (parts.parts > 1 && SWITCHES.contains(&first)) {
        return false;
    }
    let joined = without_digits(parts.joined());
    // The shell's working directories.
    if matches!(joined, b"pwd" | b"oldpwd") {
        return false;
    }
    ENDINGS.iter().any(|ending| joined.ends_with(ending))
        || LAST.contains(&last)
        || parts.all().any(|part| PARTS.contains(&part))
        || (query && QUERY.contains(&joined))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_search_finds_each_name() {
        for name in ENDINGS.iter().chain(&LAST).chain(&PARTS) {
            let text = std::str::from_utf8(name).unwrap();
            let found = FRAGMENTS.iter().any(|fragment| text.contains(fragment));
            assert!(found, "{text} has none of FRAGMENTS");
        }
    }

    #[test]
    fn names_that_denote_a_secret() {
        for name in [
            "password",
            "PASSWORD",
            "db-password",
            "PGPASSWORD",
            "MYSQL_PWD",
            "passwd",
            "PASSWORD2",
            "AWS_SECRET_ACCESS_KEY",
            "aws.session.token",
            "apiKey",
            "X-Api-Key",
            "X-API-KEY",
            "client_secret",
            "clientSecret",
            "SECRET_KEY_BASE",
            "authToken",
            "_authToken",
            "Authorization",
            "Proxy-Authorization",
            "Cookie",
            "Set-Cookie",
            "DB_PASS",
            "pass",
            "storepass",
            "passin",
            "proxy-auth",
            "oauth2-bearer",
            "private-token",
            "access_token",
            "CODER_AGENT_TOKEN",
            "Coder-Session-Token",
            "password_hash",
            "tokenSecret",
        ] {
            assert!(is_secret(name.as_bytes(), false), "{name}");
        }
        assert!(is_secret(b"sig", true) && !is_secret(b"sig", false));
    }

    #[test]
    fn names_that_denote_no_secret() {
        for name in [
            "",
            "-",
            "PWD",
            "OLDPWD",
            "password-file",
            "passwordFile",
            "tokenUrl",
            "token_type",
            "secret-name",
            "AWS_ACCESS_KEY_ID",
            "cookie-jar",
            "no-password",
            "ask-pass",
            "bypass",
            "compass",
            "GIT_ASKPASS",
            "tokenizer",
            "max_tokens",
            "monkey",
            "keyboard",
            "author",
            "password-stdin",
            "SSH_AUTH_SOCK",
            "KEY",
            "session",
        ] {
            assert!(!is_secret(name.as_bytes(), false), "{name}");
        }
    }

    #[test]
    fn a_long_name_is_judged_by_its_end() {
        let long = [vec![b'x'; 10_000], b"_password".to_vec()].concat();
        assert!(is_secret(&long, false));
    }
}
