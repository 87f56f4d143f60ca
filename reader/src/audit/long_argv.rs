//! The lines of a long argv: an `exec` line, and `exec_argv` lines directly after it.

use super::{
    fault::Fault,
    line::{Event, Kind, Series},
};

/// What the next line of a run has to be.
#[derive(Debug, Default)]
pub(super) struct LongArgv {
    /// The exec whose argv is not complete, and the number of its next line.
    awaited: Option<(Series, u64, u64)>,
}

impl LongArgv {
    /// Takes the next line of the run, which is line `line` of the log. `is_first`: what comes
    /// before it is not in the log.
    pub(super) fn next(
        &mut self,
        line: u64,
        msg: &str,
        event: Option<&Event>,
        is_first: bool,
    ) -> Option<Fault> {
        let awaited = self.awaited.take();
        let numbered = event.and_then(|event| event.numbered(Kind::Exec));
        if let Some(event) = event
            && event.argv_continues
            && let Some((series, seq)) = numbered
        {
            let part = if msg == "exec_argv" {
                event.part
            } else {
                Some(0)
            };
            self.awaited = part.map(|part| (series, seq, part.saturating_add(1)));
        }
        let found = numbered
            .zip(event.and_then(|event| event.part))
            .map(|((series, seq), part)| (series, seq, part));
        if msg == "exec_argv" {
            let fits = found.is_some() && (awaited == found || awaited.is_none() && is_first);
            (!fits).then_some(Fault::ArgvOutOfOrder { line })
        } else {
            awaited.map(|_| Fault::ArgvMissing { line })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Audit, Demands},
        *,
    };

    fn line(msg: &str, seq: u64, part: Option<u64>, continues: bool) -> String {
        let part = part.map_or(String::new(), |part| format!(r#","part":{part}"#));
        let more = if continues {
            r#","argv_continues":true"#
        } else {
            ""
        };
        let event = format!(r#"{{"cpu":0,"seq":{seq}{part}{more}}}"#);
        format!(r#"{{"ts":"2","level":"INFO","msg":"{msg}","fields":{{"event":{event}}}}}"#)
    }

    fn log() -> Vec<String> {
        let start = r#"{"ts":"1","level":"INFO","msg":"tracing_started","fields":{}}"#;
        vec![
            start.to_owned(),
            line("exec", 0, None, true),
            line("exec_argv", 0, Some(1), true),
            line("exec_argv", 0, Some(2), false),
            line("exec", 1, None, true),
            line("exec_argv", 1, Some(1), false),
            line("exec", 2, None, false),
        ]
    }

    fn faults(lines: &[String]) -> Vec<Fault> {
        let mut audit = Audit::new(Demands::default());
        for (number, line) in (1..).zip(lines) {
            audit.read(number, line.as_bytes());
        }
        let report = audit.finish();
        let runs = report.runs.iter();
        runs.flat_map(|run| run.faults.first.clone()).collect()
    }

    /// Lines without numbers: only their own keys show what is missing.
    #[test]
    fn each_part_belongs_after_the_one_before() {
        let log = log();
        assert_eq!(faults(&log), []);
        for at in 2..6 {
            let mut less = log.clone();
            less.remove(at);
            assert_ne!(faults(&less), [], "without line {at}");
            let mut more = log.clone();
            more.insert(at, log[at].clone());
            assert_ne!(faults(&more), [], "line {at} twice");
            let mut swapped = log.clone();
            swapped.swap(at, at - 1);
            assert_ne!(faults(&swapped), [], "line {at} one line earlier");
        }
    }

    #[test]
    fn a_log_may_begin_and_end_within_an_argv() {
        let mut audit = Audit::new(Demands {
            partial: true,
            ..Demands::default()
        });
        for (number, line) in (1..).zip(&log()[3..5]) {
            audit.read(number, line.as_bytes());
        }
        assert!(audit.finish().is_right());
    }
}
