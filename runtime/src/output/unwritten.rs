//! Counts of lines that could not be written, so that their loss is reported.

/// Counts of lines that were not written completely.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unwritten {
    /// All lines.
    pub lines: u64,
    /// Lines of execs.
    pub execs: u64,
    /// Bytes of these lines that were not written.
    pub bytes: u64,
}

impl Unwritten {
    /// Counts `lines`, of which the first `written` bytes were written.
    pub(crate) fn add(&mut self, lines: &[u8], written: usize) {
        let (done, rest) = lines.split_at_checked(written).unwrap_or((lines, &[]));
        self.bytes += rest.len() as u64;
        if rest.is_empty() {
            return;
        }
        // A line that was written in part counts as not written.
        let begin = done.iter().rposition(|byte| *byte == b'\n');
        let begin = begin.map_or(0, |end| end + 1);
        let lines = lines.get(begin..).unwrap_or_default();
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            self.lines += 1;
            self.execs += u64::from(is_exec(line));
        }
    }
}

/// Whether a line is an `exec` line, as JSON or as a line of `text.rs`. Lines of `screen/` are not
/// recognized.
fn is_exec(line: &[u8]) -> bool {
    const MSG: &[u8] = b"\"msg\":\"";
    if line.starts_with(b"{") {
        // Only the time and the level are before `msg`, and they do not contain this text.
        let msg = line.windows(MSG.len()).position(|window| window == MSG);
        let msg = msg.and_then(|at| line.get(at + MSG.len()..));
        msg.is_some_and(|msg| msg.starts_with(b"exec\""))
    } else {
        // The line of a failed exec has `exec failed` after the time.
        let mut words = line.split(|byte| *byte == b' ').skip(1);
        words.next() == Some(b"exec") && words.next() != Some(b"failed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = concat!(
        r#"{"ts":"2026","level":"INFO","msg":"exec","fields":{"cmdline":"x"}}"#,
        "\n",
        r#"{"ts":"2026","level":"WARN","msg":"lost","fields":{"a":"\"msg\":\"exec\""}}"#,
        "\n",
        r#"{"ts":"2026","level":"INFO","msg":"exec_failed","fields":{}}"#,
        "\n",
        r#"{"ts":"2026","level":"INFO","msg":"exec","fields":{}}"#,
        "\n",
    );
    const TEXT: &str = "2026 exec pid=1/1 uid=0 sh -> /bin/x: x\n2026 exit pid=1/1 exec: x\n\
        2026 exec failed pid=1/1 x\n";

    fn count(lines: &str, written: usize) -> Unwritten {
        let mut unwritten = Unwritten::default();
        unwritten.add(lines.as_bytes(), written);
        unwritten
    }

    #[test]
    fn every_line_counts_once() {
        let all = count(JSON, 0);
        assert_eq!((all.lines, all.execs), (4, 2));
        assert_eq!(all.bytes, JSON.len() as u64);
        let all = count(TEXT, 0);
        assert_eq!((all.lines, all.execs), (3, 1));
        assert_eq!(count(JSON, JSON.len()), Unwritten::default());
        assert_eq!(count("", 0), Unwritten::default());
    }

    #[test]
    fn a_line_that_was_begun_is_not_written() {
        let first = JSON.find('\n').unwrap();
        for written in [1, first] {
            let rest = count(JSON, written);
            assert_eq!((rest.lines, rest.execs), (4, 2), "{written}");
            assert_eq!(rest.bytes, (JSON.len() - written) as u64);
        }
        let rest = count(JSON, first + 1);
        assert_eq!((rest.lines, rest.execs), (3, 1));
        let rest = count(JSON, JSON.len() - 1);
        assert_eq!((rest.lines, rest.execs, rest.bytes), (1, 1, 1));
    }
}
