//! The counts of lines of each CPU and lane, in limited length: `{"0":[12,3],"0.1":[4]}`.

use std::collections::BTreeMap;

use serde::{
    Serialize, Serializer,
    ser::{Error as _, SerializeMap as _},
};
use serde_json::value::RawValue;

use crate::event::ledger::Place;

/// The counts of each place: of execs, exits and failed execs, without zeros at the end.
pub(super) struct Places<'a> {
    counts: &'a BTreeMap<Place, [u64; 3]>,
    /// Number of places that are shown: the first ones, lane by lane.
    shown: usize,
}

impl<'a> Places<'a> {
    /// As many of `counts` as fit into `room` bytes. Less than 12,000 bytes suffice for 192 CPUs
    /// with one lane, all kinds of events and counts of ten digits.
    pub(super) fn new(counts: &'a BTreeMap<Place, [u64; 3]>, room: usize) -> Self {
        let mut length = 0;
        let fits = |(place, counts): &(Place, [u64; 3])| {
            length += name(*place).len() + text(counts).len() + 4;
            length <= room
        };
        let shown = ordered(counts).take_while(fits).count();
        Self { counts, shown }
    }

    /// Number of places that are not shown.
    pub(super) fn omitted(&self) -> u64 {
        (self.counts.len() - self.shown) as u64
    }
}

/// The places lane by lane: nearly all events are in the first lane.
fn ordered(counts: &BTreeMap<Place, [u64; 3]>) -> impl Iterator<Item = (Place, [u64; 3])> {
    let lanes = counts.keys().map(|place| place.lane).max();
    (0..=lanes.unwrap_or(0)).flat_map(move |lane| {
        let of_lane = counts.iter().filter(move |(place, _)| place.lane == lane);
        of_lane.map(|(place, counts)| (*place, *counts))
    })
}

fn name(Place { cpu, lane }: Place) -> String {
    match lane {
        0 => cpu.to_string(),
        _ => format!("{cpu}.{lane}"),
    }
}

fn text(counts: &[u64; 3]) -> String {
    let end = counts.iter().rposition(|count| *count != 0);
    let shown = counts.get(..=end.unwrap_or(0)).unwrap_or_default();
    let words: Vec<String> = shown.iter().map(u64::to_string).collect();
    format!("[{}]", words.join(","))
}

impl Serialize for Places<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.shown))?;
        for (place, counts) in ordered(self.counts).take(self.shown) {
            let counts = RawValue::from_string(text(&counts)).map_err(S::Error::custom)?;
            map.serialize_entry(&name(place), &counts)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: usize = 12_000;

    fn counts(cpus: u16, lanes: u8, each: [u64; 3]) -> BTreeMap<Place, [u64; 3]> {
        (0..lanes)
            .flat_map(|lane| (0..cpus).map(move |cpu| (Place { cpu, lane }, each)))
            .collect()
    }

    #[test]
    fn zeros_at_the_end_are_not_written() {
        let mut counts = counts(1, 2, [12, 0, 0]);
        counts.insert(Place { cpu: 7, lane: 0 }, [0, 0, 5]);
        let json = serde_json::to_string(&Places::new(&counts, ROOM)).unwrap();
        assert_eq!(json, r#"{"0":[12],"7":[0,0,5],"0.1":[12]}"#);
    }

    #[test]
    fn any_number_of_cpus_has_limited_length_and_what_is_omitted_is_counted() {
        let whole = counts(192, 1, [9_999_999_999; 3]);
        assert_eq!(Places::new(&whole, ROOM).omitted(), 0);
        for counts in [counts(192, 3, [u64::MAX; 3]), counts(4096, 3, [1, 0, 0])] {
            let places = Places::new(&counts, ROOM);
            let json = serde_json::to_string(&places).unwrap();
            assert!(json.len() <= ROOM + 2, "{}", json.len());
            let shown: BTreeMap<String, Vec<u64>> = serde_json::from_str(&json).unwrap();
            assert!(places.omitted() > 0);
            assert_eq!(shown.len() as u64 + places.omitted(), counts.len() as u64);
        }
    }
}
