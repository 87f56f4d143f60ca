//! Token formats that are recognized by their beginning. docs/secrets.md cites the sources. JSON
//! Web Tokens and PEM blocks are not here: their beginnings are in `search`, the rest in `text`.

/// A token format: a fixed beginning, and characters after it.
#[derive(Debug)]
pub(super) struct Format {
    /// The beginning, in exactly this upper and lower case.
    pub(super) prefix: &'static [u8],
    /// Name of the rule.
    pub(super) rule: &'static str,
    /// Minimum number of characters after the beginning. A token can be longer.
    pub(super) least: usize,
    /// Whether the beginning is common text, so that a letter or digit before it excludes a token.
    pub(super) bounded: bool,
    /// The characters after the beginning.
    pub(super) has: fn(u8) -> bool,
}

fn word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn web(byte: u8) -> bool {
    word(byte) || byte == b'-'
}

fn dotted(byte: u8) -> bool {
    web(byte) || byte == b'.'
}

fn alphanumeric(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

const fn format(
    prefix: &'static [u8],
    rule: &'static str,
    least: usize,
    has: fn(u8) -> bool,
) -> Format {
    Format {
        prefix,
        rule,
        least,
        bounded: false,
        has,
    }
}

const fn bounded(
    prefix: &'static [u8],
    rule: &'static str,
    least: usize,
    has: fn(u8) -> bool,
) -> Format {
    Format {
        prefix,
        rule,
        least,
        bounded: true,
        has,
    }
}

/// The formats.
pub(super) static FORMATS: [Format; 41] = [
    format(b"ghp_", "github", 16, word),
    format(b"gho_", "github", 16, word),
    format(b"ghu_", "github", 16, word),
    format(b"ghs_", "github", 16, dotted),
    format(b"ghr_", "github", 16, word),
    format(b"github_pat_", "github", 16, word),
    format(b"glpat-", "gitlab", 16, dotted),
    format(b"gldt-", "gitlab", 16, dotted),
    format(b"glrt-", "gitlab", 16, dotted),
    format(b"glcbt-", "gitlab", 16, dotted),
    format(b"glptt-", "gitlab", 16, dotted),
    format(b"glft-", "gitlab", 16, dotted),
    format(b"glagent-", "gitlab", 16, dotted),
    format(b"gloas-", "gitlab", 16, dotted),
    format(b"glsoat-", "gitlab", 16, dotted),
    format(b"AKIA", "aws", 16, alphanumeric),
    format(b"ASIA", "aws", 16, alphanumeric),
    format(b"xoxb-", "slack", 8, web),
    format(b"xoxp-", "slack", 8, web),
    format(b"xoxa-", "slack", 8, web),
    format(b"xoxr-", "slack", 8, web),
    format(b"xoxs-", "slack", 8, web),
    format(b"xoxc-", "slack", 8, web),
    format(b"xoxd-", "slack", 8, |byte| web(byte) || byte == b'%'),
    format(b"xoxe.", "slack", 8, dotted),
    format(b"xoxe-", "slack", 8, dotted),
    format(b"xapp-", "slack", 8, web),
    format(b"sk_live_", "stripe", 10, word),
    format(b"rk_live_", "stripe", 10, word),
    format(b"sk_test_", "stripe", 10, word),
    format(b"rk_test_", "stripe", 10, word),
    format(b"whsec_", "stripe", 10, word),
    format(b"AIza", "google", 30, web),
    bounded(b"npm_", "npm", 30, alphanumeric),
    format(b"pypi-", "pypi", 40, web),
    bounded(b"sk-", "sk", 20, web),
    bounded(b"hf_", "huggingface", 30, alphanumeric),
    format(b"dop_v1_", "digitalocean", 32, alphanumeric),
    format(b"doo_v1_", "digitalocean", 32, alphanumeric),
    format(b"dor_v1_", "digitalocean", 32, alphanumeric),
    bounded(b"hvs.", "vault", 20, web),
];

impl Format {
    /// The end of the token that begins at `at`. At the end of a word that is `cut`, the token may
    /// have fewer characters after its fixed beginning.
    pub(super) fn end(&self, text: &[u8], at: usize, cut: bool) -> Option<usize> {
        let rest = text.get(at..)?.strip_prefix(self.prefix)?;
        let before = at.checked_sub(1).and_then(|before| text.get(before));
        if self.bounded && before.is_some_and(u8::is_ascii_alphanumeric) {
            return None;
        }
        let length = rest.iter().take_while(|byte| (self.has)(**byte)).count();
        let whole = length >= self.least || (cut && length == rest.len());
        whole.then_some(at + self.prefix.len() + length)
    }
}
