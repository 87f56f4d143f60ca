//! The list of redacted places, the last keys of an event.

use std::io::Write as _;

use crate::output::{line::LineBuffer, redacted::Places};

/// Appends the list of redacted places.
pub(super) fn push_places(line: &mut LineBuffer<'_>, places: &Places) {
    let mut before = r#","redacted":[{"#;
    for place in &places.listed {
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
    if places.more > 0 {
        let _ = write!(line, r#","redacted_more":{}"#, places.more);
    }
}
