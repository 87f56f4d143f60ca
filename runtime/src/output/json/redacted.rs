//! The list of markers of an event: the keys `redacted` and `redacted_more`.

use std::io::Write as _;

use crate::output::{line::LineBuffer, redacted::Markers};

/// Bytes that a marker takes at most: its names and numbers are short.
const MAX_MARKER: usize = 160;

/// Appends the list of markers: as many as fit into `room` bytes, but at least one.
pub(super) fn push_markers(line: &mut LineBuffer<'_>, markers: &Markers, room: usize) {
    let mut before = r#","redacted":[{"#;
    let shown = (room / MAX_MARKER).max(1);
    for marker in markers.listed.iter().take(shown) {
        let _ = write!(line, r#"{before}"key":"{}""#, marker.key);
        if let Some(word) = marker.word {
            let _ = write!(line, r#","word":{word}"#);
        }
        let _ = write!(
            line,
            r#","offset":{},"length":{},"rule":"{}""#,
            marker.offset, marker.length, marker.rule
        );
        if let Some(id) = marker.id {
            let _ = write!(line, r#","id":"{id:016x}""#);
        }
        line.push(b'}');
        before = ",{";
    }
    line.push(b']');
    let more = markers.more + markers.listed.len().saturating_sub(shown);
    if more > 0 {
        let _ = write!(line, r#","redacted_more":{more}"#);
    }
}
