//! The list of redacted places of an event: the keys `redacted` and `redacted_more`.

use std::io::Write as _;

use crate::output::{line::LineBuffer, redacted::Places};

/// Bytes that a place takes at most: its names and numbers are short.
const LONGEST_PLACE: usize = 160;

/// Appends the list of redacted places: as many as there is room for, at least one.
pub(super) fn push_places(line: &mut LineBuffer<'_>, places: &Places, room: usize) {
    let mut before = r#","redacted":[{"#;
    let shown = (room / LONGEST_PLACE).max(1);
    for place in places.listed.iter().take(shown) {
        let _ = write!(line, r#"{before}"key":"{}""#, place.key);
        if let Some(word) = place.word {
            let _ = write!(line, r#","word":{word}"#);
        }
        let _ = write!(
            line,
            r#","offset":{},"length":{},"rule":"{}""#,
            place.offset, place.length, place.rule
        );
        if let Some(id) = place.id {
            let _ = write!(line, r#","id":"{id:016x}""#);
        }
        line.push(b'}');
        before = ",{";
    }
    line.push(b']');
    let more = places.more + places.listed.len().saturating_sub(shown);
    if more > 0 {
        let _ = write!(line, r#","redacted_more":{more}"#);
    }
}
