//! Writes losses to the stream, from gaps in the sequence numbers and from the kernel's counts.

use exectrail_common::counters::CpuStats;

use super::Stream;
use crate::{
    event::{
        clock::WallClock,
        ledger::{Ledger, Loss, Place},
    },
    output::{Event, Kind, Lost},
    probes::counters::Count,
};

/// The table of the probes that loses events when it is full.
const TARGETS: &str = "targets";

impl Stream {
    /// Takes the kernel's counts.
    pub fn count(&mut self, count: &Count, out: &mut Vec<u8>) {
        let now = WallClock::boot_now();
        for (lane, cpus) in (0..).zip(&count.lanes) {
            for (cpu, stats) in (0..).zip(cpus) {
                let place = Place { cpu, lane };
                let execs = self.ledger.count(place, stats.lost, stats.last_lost);
                self.lost(Kind::Exec, execs, out);
                let exits = self
                    .exits
                    .count(place, stats.exits_lost, stats.last_exit_lost);
                self.lost(Kind::Exit, exits, out);
            }
        }
        let stats = count.lanes.iter().flatten();
        self.lost_pieces = stats.clone().map(|stats| stats.lost_pieces).sum();
        self.lost_to_full_table(stats, now, out);
        for counts in &count.failed {
            for (cpu, stats) in (0..).zip(&counts.cpus) {
                let place = Place { cpu, lane: 0 };
                let ledger = self.failed.get_mut(counts.call);
                let failed =
                    ledger.and_then(|ledger| ledger.count(place, stats.lost, stats.last_lost));
                self.lost(Kind::ExecFailed, failed, out);
            }
        }
        if let Some(total) = count.missed {
            let execs = self.ledger.count(Place::NONE, total, now);
            self.lost(Kind::Exec, execs, out);
        }
        if let Some(total) = count.missed_exits {
            let exits = self.exits.count(Place::NONE, total, now);
            self.lost(Kind::Exit, exits, out);
        }
        if let Some(total) = count.missed_failed {
            // These losses belong to no call in particular, so the first call's ledger has them.
            let failed = self.failed[0].count(Place::NONE, total, now);
            self.lost(Kind::ExecFailed, failed, out);
        }
    }

    /// Writes the losses that happened because the table of targets was full.
    fn lost_to_full_table<'a>(
        &mut self,
        stats: impl Iterator<Item = &'a CpuStats> + Clone,
        now: u64,
        out: &mut Vec<u8>,
    ) {
        type CountOf = fn(&CpuStats) -> u64;
        let counts: [(Kind, CountOf); 3] = [
            (Kind::Exec, |stats| stats.full_table_execs),
            (Kind::Exit, |stats| stats.full_table_exits),
            (Kind::ExecFailed, |stats| stats.full_table_failed_execs),
        ];
        for (index, (of, count)) in counts.into_iter().enumerate() {
            let total: u64 = stats.clone().map(count).sum();
            let Some(known) = self.lost_to_full_table.get_mut(index) else {
                continue;
            };
            let new = total.saturating_sub(*known);
            *known += new;
            if new > 0 {
                let loss = Loss {
                    place: Place::NONE,
                    count: new,
                    since: self.began,
                    until: now,
                };
                self.write_loss(of, Some(TARGETS), loss, out);
            }
        }
    }

    /// The table of the probes that has lost events because it was full, if any.
    pub fn full_table(&self) -> Option<&'static str> {
        (self.lost_to_full_table != [0; 3]).then_some(TARGETS)
    }

    /// All losses of a kind reported so far.
    pub(super) fn lost_of(&self, of: Kind) -> u64 {
        let [execs, exits, failed] = self.lost_to_full_table;
        match of {
            Kind::Exec => self.ledger.total().saturating_add(execs),
            Kind::Exit => self.exits.total().saturating_add(exits),
            Kind::ExecFailed => {
                let totals = self.failed.iter().map(Ledger::total);
                totals.fold(failed, u64::saturating_add)
            }
        }
    }

    pub(super) fn lost(&mut self, of: Kind, loss: Option<Loss>, out: &mut Vec<u8>) {
        if let Some(loss) = loss {
            self.write_loss(of, None, loss, out);
        }
    }

    fn write_loss(&mut self, of: Kind, table: Option<&'static str>, loss: Loss, out: &mut Vec<u8>) {
        let total = self.lost_of(of);
        let event = Event::Lost(Lost {
            of,
            table,
            loss,
            since: self.clock.at(loss.since).ts,
            until: self.clock.at(loss.until).ts,
            total,
        });
        self.write(loss.until, &event, out);
    }
}
