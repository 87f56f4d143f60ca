//! The counts of a run: sequence numbers, lines of each place, losses and suppressed events.

use std::collections::BTreeMap;

use super::{
    fault::{Fault, Faults},
    line::{Event, Fields, Kind, Series, place_named},
    place::Place,
};

/// The numbers of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Numbers {
    /// The greatest number of each series.
    last: BTreeMap<Series, u64>,
    places: BTreeMap<(Kind, Place), AtPlace>,
    /// Number of lines of each kind in the log.
    pub(super) in_log: [u64; 3],
    /// Number of lines of each kind since the beginning of the run.
    lines: [u64; 3],
    /// Number of losses of each kind since the beginning of the run.
    lost: [u64; 3],
    /// Number of losses of each kind that `lost` lines in the log report.
    lost_in_log: [u64; 3],
    /// Number of suppressed events of each kind since the beginning of the run.
    suppressed: [u64; 3],
    /// Number of suppressed events of each kind that `suppressed` lines in the log report.
    suppressed_in_log: [u64; 3],
    /// Number of event lines of each kind without a sequence number.
    unnumbered: [u64; 3],
    /// Whether the log has the beginning of the run. If it does, each series begins with 0.
    from_beginning: bool,
    /// Whether the counts include everything since the beginning of the run.
    are_whole: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct AtPlace {
    lines: u64,
    missing: u64,
    lost: u64,
}

impl Numbers {
    /// The next line is the first one of the run.
    pub(super) fn begin(&mut self) {
        self.from_beginning = true;
        self.are_whole = true;
    }

    /// Takes an event. Returns false if some events of its kind have numbers, and others have none.
    /// `--omit` removes the numbers of all events of a kind.
    pub(super) fn event(
        &mut self,
        line: u64,
        kind: Kind,
        event: &Event,
        faults: &mut Faults,
    ) -> bool {
        add(&mut self.in_log[kind as usize], 1);
        add(&mut self.lines[kind as usize], 1);
        let Some((series, seq)) = event.numbered(kind) else {
            add(&mut self.unnumbered[kind as usize], 1);
            return !self.last.keys().any(|series| series.kind == kind);
        };
        let at = self.places.entry((kind, series.place)).or_default();
        add(&mut at.lines, 1);
        match self.last.get(&series).copied() {
            Some(after) if seq <= after => faults.push(Fault::OutOfOrder {
                line,
                series,
                seq,
                after,
            }),
            Some(after) => add(&mut at.missing, seq - after - 1),
            None if self.from_beginning => add(&mut at.missing, seq),
            // Earlier events of the series may be in an earlier part of the log.
            None => {}
        }
        let last = self.last.entry(series).or_insert(seq);
        *last = (*last).max(seq);
        self.unnumbered[kind as usize] == 0
    }

    /// Takes lost events, whose line states the `total` since the beginning.
    pub(super) fn lost(
        &mut self,
        line: u64,
        (kind, place): (Kind, Place),
        count: u64,
        total: Option<u64>,
        faults: &mut Faults,
    ) {
        add(
            &mut self.places.entry((kind, place)).or_default().lost,
            count,
        );
        add(&mut self.lost_in_log[kind as usize], count);
        let lost = &mut self.lost[kind as usize];
        add(lost, count);
        compare(line, "total", total, lost, self.are_whole, faults);
    }

    /// Takes suppressed events, whose line states the `total` since the beginning.
    pub(super) fn suppressed(
        &mut self,
        line: u64,
        kind: Kind,
        count: u64,
        total: Option<u64>,
        faults: &mut Faults,
    ) {
        add(&mut self.suppressed_in_log[kind as usize], count);
        let counted = &mut self.suppressed[kind as usize];
        add(counted, count);
        compare(line, "total", total, counted, self.are_whole, faults);
    }

    /// Compares the counts with those that a line states. Then replaces the counts with the stated
    /// ones, to count one difference as one fault only.
    pub(super) fn account(&mut self, line: u64, stated: &Fields<'_>, faults: &mut Faults) {
        let are_whole = self.are_whole;
        let [execs, exits, failed] = &mut self.lines;
        let [lost, exits_lost, failed_lost] = &mut self.lost;
        let suppressed = stated.suppressed.or(Some(0));
        compare(line, "execs", stated.execs, execs, are_whole, faults);
        compare(line, "lost", stated.lost, lost, are_whole, faults);
        let [counted, exits_suppressed, failed_suppressed] = &mut self.suppressed;
        compare(line, "suppressed", suppressed, counted, are_whole, faults);
        // Only a checkpoint states the following counts.
        let Some(places) = &stated.places else {
            return;
        };
        for (key, stated, counted) in [
            ("exits", stated.exits, exits),
            ("exits_lost", stated.exits_lost, exits_lost),
            ("execs_failed", stated.execs_failed, failed),
            ("execs_failed_lost", stated.execs_failed_lost, failed_lost),
            (
                "exits_suppressed",
                stated.exits_suppressed,
                exits_suppressed,
            ),
            (
                "execs_failed_suppressed",
                stated.execs_failed_suppressed,
                failed_suppressed,
            ),
        ] {
            compare(line, key, Some(stated), counted, are_whole, faults);
        }
        for (name, counts) in places {
            let Some(place) = place_named(name) else {
                let reason = format!("{name:?} in `places` is no CPU and lane");
                faults.push(Fault::NotALine { line, reason });
                continue;
            };
            for (number, kind) in Kind::ALL.into_iter().enumerate() {
                let counted = &mut self.places.entry((kind, place)).or_default().lines;
                let stated = counts.get(number).copied().unwrap_or(0);
                let key = format!("places[\"{name}\"][{number}]");
                // An event without a number belongs to no place.
                let is_known = are_whole && self.unnumbered[kind as usize] == 0;
                compare(line, &key, Some(stated), counted, is_known, faults);
            }
        }
        self.are_whole = true;
    }

    /// Finds places where more numbers are missing than events were lost.
    pub(super) fn end(&self, faults: &mut Faults) {
        for ((kind, place), at) in &self.places {
            // Losses after the last line of a place, or before the log begins, leave no missing
            // number.
            if at.missing > at.lost {
                faults.push(Fault::Unaccounted {
                    place: *place,
                    kind: *kind,
                    missing: at.missing,
                    counted: at.lost,
                });
            }
        }
    }

    /// Number of event lines without a sequence number.
    pub(super) fn unnumbered(&self) -> u64 {
        self.unnumbered.into_iter().fold(0, u64::saturating_add)
    }

    /// Number of losses of a kind that the log reports.
    pub(super) fn lost_of(&self, kind: Kind) -> u64 {
        self.lost_in_log[kind as usize]
    }

    /// Number of suppressed events of a kind that the log reports.
    pub(super) fn suppressed_of(&self, kind: Kind) -> u64 {
        self.suppressed_in_log[kind as usize]
    }
}

/// Adds without overflow: a line may state any number.
fn add(sum: &mut u64, count: u64) {
    *sum = sum.saturating_add(count);
}

/// Compares a count with the stated one, which replaces it.
fn compare(
    line: u64,
    key: &str,
    stated: Option<u64>,
    counted: &mut u64,
    is_known: bool,
    faults: &mut Faults,
) {
    let Some(stated) = stated else {
        return;
    };
    if is_known && stated != *counted {
        faults.push(Fault::Count {
            line,
            key: key.to_owned(),
            stated,
            counted: *counted,
        });
    }
    *counted = stated;
}
