//! Lines, and where they are from.

/// Maximum length of a line in bytes. No line of exectrail is longer: an argv of 6 MiB takes at
/// most twelve times its size.
pub(crate) const LONGEST_LINE: usize = 128 * 1024 * 1024;

/// The beginning of exectrail's lines. Inside a line it could only begin an object whose first key
/// is `ts`. Lines have no such object, so a part that begins with it begins a line.
pub(super) const BEGINNING: &[u8] = br#"{"ts":""#;

/// Whether a text begins as exectrail's lines do. `ts` has 30 bytes, and `level` follows it. Of a
/// text that is shorter, only the beginning is compared.
pub(super) fn begins_line(text: &[u8]) -> bool {
    const LEVEL: &[u8] = br#"","level":""#;
    let end = BEGINNING.len() + "2026-11-24T03:47:15.668123456Z".len();
    text.starts_with(BEGINNING)
        && text
            .get(end..)
            .is_none_or(|rest| rest.starts_with(LEVEL) || LEVEL.starts_with(rest))
}

/// Number of a line in its file, or in all files together, from 1. Of a line in parts, it is the
/// number of the first part.
pub type LineNumber = u64;

/// A line of exectrail: the bytes that it wrote, as far as the source has them, without the line
/// break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Its number.
    pub number: LineNumber,
    /// Its bytes. They begin as a JSON object does, and may be anything after that.
    pub bytes: &'a [u8],
    /// Whether the source says that it was written to standard error, where exectrail writes
    /// diagnostics only.
    pub is_diagnostic: bool,
}

/// Why there is no line of exectrail at a place of the input.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Text that is not JSON.
    #[error("it is not JSON; `exectrail run` writes JSON only with --output json")]
    NotJson,
    /// Text in another encoding, as PowerShell writes it.
    #[error("the file is in UTF-16; write it anew: iconv -f UTF-16 -t UTF-8 FILE")]
    Utf16,
    /// Several events in one list.
    #[error("it is a list of JSON; write one object per line: jq -c '.[]'")]
    List,
    /// JSON of something else.
    #[error("it is JSON, and neither a line of exectrail nor one in a key that collectors use")]
    NotOurs,
    /// Events as one document.
    #[error("it is a document of many events; write one per line: jq -c '.events[]'")]
    Document,
    /// A line without its end.
    #[error("its end is missing: the line was cut, or its last part is not here")]
    Cut,
    /// A line without its beginning.
    #[error("its beginning is missing: it is a later part of a line")]
    Headless,
    /// A line that is too long.
    #[error("it is longer than any line of exectrail")]
    TooLong,
    /// Keys that are missing or have another type.
    #[error("it lacks keys of exectrail's lines: {0}")]
    Keys(String),
    /// The compression is damaged, or its end is missing.
    #[error("the compressed file is damaged or cut here: {0}")]
    Compressed(String),
}

/// Reading is to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop;

/// Takes lines.
pub trait Sink {
    /// Takes a line.
    ///
    /// # Errors
    /// If nothing more is wanted.
    fn line(&mut self, line: Line<'_>) -> Result<(), Stop>;

    /// Takes what cannot be read.
    fn unreadable(&mut self, number: LineNumber, why: Unreadable);

    /// All lines so far are given, and `bytes` more bytes are read. The next bytes may be late.
    ///
    /// # Errors
    /// If nothing more is wanted.
    fn pause(&mut self, bytes: usize) -> Result<(), Stop> {
        let _ = bytes;
        Ok(())
    }
}
