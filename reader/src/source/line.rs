//! Lines of exectrail, and reasons for unreadable lines.

/// Maximum length of a line in bytes. Lines of exectrail are shorter: an argv of 6 MiB takes at
/// most twelve times its size.
pub(crate) const LONGEST_LINE: usize = 128 * 1024 * 1024;

/// The beginning of each line of exectrail. Within a line, these bytes could only begin an object
/// whose first key is `ts`. Lines contain no such object. A part with this beginning is therefore
/// the first part of a line.
pub(super) const BEGINNING: &[u8] = br#"{"ts":""#;

/// Whether a text begins like a line of exectrail. The value of `ts` has 30 bytes, and the key
/// `level` follows. Of a shorter text, only the bytes that it has are compared.
pub(super) fn begins_line(text: &[u8]) -> bool {
    const LEVEL: &[u8] = br#"","level":""#;
    let end = BEGINNING.len() + "2026-11-24T03:47:15.668123456Z".len();
    text.starts_with(BEGINNING)
        && text
            .get(end..)
            .is_none_or(|rest| rest.starts_with(LEVEL) || LEVEL.starts_with(rest))
}

/// Number of a line, from 1, counted in its file or in all files together. If a line is in parts,
/// this is the number of its first part.
pub type LineNumber = u64;

/// A line of exectrail, without its line break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Number of the line.
    pub number: LineNumber,
    /// Bytes of the line. They begin like a JSON object, but need not be valid JSON.
    pub bytes: &'a [u8],
    /// Whether the source marks the line as standard error, where exectrail writes only
    /// diagnostics.
    pub is_diagnostic: bool,
}

/// Why the input has no line of exectrail at some place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Text that is not JSON.
    #[error("it is not JSON; `exectrail run` writes JSON only with --output json")]
    NotJson,
    /// Text in UTF-16, which PowerShell writes.
    #[error("the file is in UTF-16; write it anew: iconv -f UTF-16 -t UTF-8 FILE")]
    Utf16,
    /// Several events in one list.
    #[error("it is a list of JSON; write one object per line: jq -c '.[]'")]
    List,
    /// JSON that exectrail did not write.
    #[error("it is JSON, and neither a line of exectrail nor one in a key that collectors use")]
    NotOurs,
    /// A document with many events.
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
    /// A line whose keys are missing or have another type.
    #[error("it lacks keys of exectrail's lines: {0}")]
    Keys(String),
    /// A compressed file that is damaged or cut.
    #[error("the compressed file is damaged or cut here: {0}")]
    Compressed(String),
}

/// The consumer wants nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop;

/// Takes lines.
pub trait Sink {
    /// Takes a line.
    ///
    /// # Errors
    /// If nothing more is wanted.
    fn line(&mut self, line: Line<'_>) -> Result<(), Stop>;

    /// Takes the reason why a line cannot be read.
    fn unreadable(&mut self, number: LineNumber, why: Unreadable);

    /// Is called when the sink has all lines so far. `bytes` is the number of bytes read since the
    /// last call. The next bytes may take a while.
    ///
    /// # Errors
    /// If nothing more is wanted.
    fn pause(&mut self, bytes: usize) -> Result<(), Stop> {
        let _ = bytes;
        Ok(())
    }
}
