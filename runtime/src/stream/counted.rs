//! Events whose lines count towards the limit on bytes, and reports of the events that this limit
//! has suppressed.

use exectrail_common::record::Prefix;

use super::Stream;
use crate::{
    event::{clock::WallClock, ledger::Place},
    output::{Event, Kind, SuppressedEvent},
    suppression::totals::Suppression,
};

impl Stream {
    /// The number of an event for its line; `None` if the event is suppressed. `call` is the system
    /// call of a failed exec.
    #[inline]
    pub(super) fn number(
        &mut self,
        kind: Kind,
        call: u32,
        prefix: &Prefix,
        target: u32,
        ktime: u64,
    ) -> Option<u64> {
        match &mut self.volume {
            None => Some(prefix.seq),
            Some(volume) => {
                let series = (kind, call, Place::of(prefix));
                volume.number(series, prefix.seq, target, ktime)
            }
        }
    }

    /// Writes the lines of an event of `target`. The lines count towards the target's limit.
    pub(super) fn write_counted(
        &mut self,
        target: u32,
        ktime: u64,
        event: &Event<'_>,
        out: &mut Vec<u8>,
    ) {
        let time = self.clock.at(ktime);
        let before = self.writer.appended(out);
        self.writer.write(out, time, event);
        if let Some(volume) = &mut self.volume {
            let bytes = self.writer.appended(out).saturating_sub(before);
            volume.take(target, bytes);
        }
    }

    /// Reports the events that the limit on bytes has suppressed, if `now` is true or the last
    /// report is long ago.
    pub(crate) fn report_volume(&mut self, now: bool, out: &mut Vec<u8>) {
        let Some(volume) = &mut self.volume else {
            return;
        };
        let Some((first, reports)) = volume.report(WallClock::boot_now(), now) else {
            return;
        };
        for (of, new) in reports {
            let Suppression {
                cause,
                count,
                until,
                total,
                ..
            } = new;
            let Some(reason) = cause.reason(&self.suppression) else {
                continue;
            };
            let by_others = match of {
                Kind::Exec => self.suppressed.total(),
                Kind::Exit | Kind::ExecFailed => 0,
            };
            let event = Event::Suppressed(SuppressedEvent {
                of,
                reason,
                count,
                since: self.clock.at(first).ts,
                until: self.clock.at(until).ts,
                total: total.saturating_add(by_others),
            });
            self.writer.write(out, self.clock.at(until), &event);
        }
    }

    /// The number of suppressed events of this `kind`, as reported by `suppressed` lines.
    pub(super) fn suppressed_of(&self, kind: Kind) -> u64 {
        let by_volume = self
            .volume
            .as_ref()
            .map_or(0, |volume| volume.reported(kind));
        match kind {
            Kind::Exec => self.suppressed.total().saturating_add(by_volume),
            Kind::Exit | Kind::ExecFailed => by_volume,
        }
    }
}
