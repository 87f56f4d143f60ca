//! Why a rule is refused, with the remedy.

use exectrail_common::{record::COMM_LEN, suppression::MAX_RULES};

use super::pattern::{MAX_FILENAME_PATTERN, MAX_SUFFIX};
use crate::suppression::shown::Shown;

/// Text that is not a rule, too many rules, or includes without an exclude.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// Not of the form `FIELD=VALUE`.
    #[error(
        "{0} is not a rule: write filename=PATH, comm=NAME or uid=NUMBER; \
         a * at the end of PATH or NAME matches any text, as in 'filename=/usr/lib/*', and so does \
         one before the first / of PATH, as in 'filename=*/git'"
    )]
    Form(Shown),
    /// A `*` at another place.
    #[error(
        "{0}: a * may only be the last character of a rule, or the first of a filename, before a \
        /: patterns are whole texts, prefixes, or the last names of a path; a * in a name is \
        written \\x2a"
    )]
    Star(Shown),
    /// A wildcard that is not `*`.
    #[error(
        "{0}: ?, [] and {{}} are no wildcards; the only one is a *, at the end or before the first \
        /, so write a rule for each path, or a prefix. In a name they are written \\x3f, \\x5b \
        and \\x7b"
    )]
    Wildcard(Shown),
    /// Several paths or names.
    #[error(
        "{0}: a rule has one value; write a rule for each (one flag each, or one per line). In a \
        name, a comma is written \\x2c and a semicolon \\x3b"
    )]
    Several(Shown),
    /// Quotes or blanks at an end.
    #[error(
        "{0}: quotes and blanks at the ends belong to the value, so this matches nothing; leave \
        them out. In a name they are written \\x22, \\x27 and \\x20"
    )]
    Quoted(Shown),
    /// Text that only a shell replaces.
    #[error(
        "{0}: only shells replace ~ and $; write the whole path. In a name they are written \\x7e \
        and \\x24"
    )]
    Shell(Shown),
    /// A backslash that begins no escape.
    #[error(
        "{0}: after a backslash only xHH (a byte in hexadecimal digits) or a second backslash (for \
        one backslash) may follow"
    )]
    Backslash(Shown),
    /// An escape that gives bytes which are not UTF-8, or a NUL.
    #[error("{0}: the bytes of a rule are UTF-8 without NUL, also those written \\xHH")]
    Bytes(Shown),
    /// A control character.
    #[error(
        "{0} has a control character: it may have been meant as several rules (one per flag). In \
        a name, a line feed is written \\x0a and a tab \\x09"
    )]
    Control(Shown),
    /// A filename that ends with a slash.
    #[error("{0}: no program's path ends with a /; for all below a directory, write {1}*")]
    Directory(Shown, Shown),
    /// A suffix that ends with a slash.
    #[error("{0}: no program's path ends with a /; write the last names of a path, as in */git")]
    SuffixDirectory(Shown),
    /// A suffix longer than the probes read.
    #[error("{0}: the end of a filename has at most {MAX_SUFFIX} bytes in a rule")]
    LongSuffix(Shown),
    /// A filename without a directory. Callers that search in PATH give the kernel whole paths.
    #[error(
        "{0}: the kernel's filename is the path as the caller gave it, and shells give the whole \
        path that they find in PATH; write the path as it is given: filename=/usr/bin/{1} or \
        filename=./{1}, for example"
    )]
    NoDirectory(Shown, Shown),
    /// A path as a comm.
    #[error(
        "{0}: comm is the caller's name without a directory; write comm={1}. In a name that a \
        program gave itself, a / is written \\x2f"
    )]
    CommPath(Shown, Shown),
    /// Not a user id.
    #[error(
        "{0}: uid takes one number from 0 to 4294967294, as in the key `uid` of exec lines \
        (4294967295 is no user for the kernel)"
    )]
    Uid(Shown),
    /// A path longer than the probes read.
    #[error("{0}: a filename rule has at most {MAX_FILENAME_PATTERN} bytes")]
    LongFilename(Shown),
    /// A name longer than a comm.
    #[error(
        "{0}: the kernel truncates comm to {max} bytes, so this matches nothing; write comm={1}",
        max = COMM_LEN - 1
    )]
    LongComm(Shown, Shown),
    /// A prefix with `/..`.
    #[error(
        "{0}: a prefix may not contain /..: such paths can lead anywhere, so no --exclude with a \
        prefix suppresses them; write a prefix without /.., or the whole path as the caller names \
        it"
    )]
    LeadsUp(Shown),
    /// More rules than the probes have room for.
    #[error("{0} rules are more than the maximum of {MAX_RULES}")]
    TooMany(usize),
    /// Includes without an exclude.
    #[error(
        "--include makes exceptions to --exclude, but there is no --exclude. To record only the \
        included execs, add --exclude 'filename=*'"
    )]
    OnlyIncludes,
}
