//! The spans of secrets in one word: sorted, merged, and bounded in number.

/// A span in a word, in bytes, and the rule that found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// First byte.
    pub start: usize,
    /// End; always greater than `start`.
    pub end: usize,
    /// Name of the rule.
    pub rule: &'static str,
}

/// Maximum number of spans in one word. From the next span on, the rest of the word is redacted, so
/// a word has at most one marker more than this number.
const MAX_SPANS: usize = 1_024;
/// Number of spans after which they are merged.
const MERGE_AT: usize = 4 * MAX_SPANS;
/// The rule for the redacted rest of a word with too many spans.
const REST: &str = "many";

/// The spans in one word.
#[derive(Debug, Default)]
pub(super) struct Spans {
    spans: Vec<Span>,
    /// Everything from here on is redacted.
    rest: Option<usize>,
}

impl Spans {
    pub(super) fn clear(&mut self) {
        self.spans.clear();
        self.rest = None;
    }

    /// Adds a span, unless it is empty.
    pub(super) fn push(&mut self, start: usize, end: usize, rule: &'static str) {
        if start >= end || self.rest.is_some_and(|rest| rest <= start) {
            return;
        }
        self.spans.push(Span { start, end, rule });
        if self.spans.len() >= MERGE_AT {
            self.merge();
        }
    }

    /// Sorts and merges the spans in a word of `len` bytes.
    pub(super) fn finish(&mut self, len: usize) -> &[Span] {
        self.merge();
        if let Some(rest) = self.rest {
            self.spans.push(Span {
                start: rest,
                end: len,
                rule: REST,
            });
            self.merge_overlaps();
        }
        &self.spans
    }

    fn merge(&mut self) {
        self.merge_overlaps();
        if let Some(first) = self.spans.get(MAX_SPANS) {
            self.rest = Some(self.rest.map_or(first.start, |rest| rest.min(first.start)));
            self.spans.truncate(MAX_SPANS);
        }
    }

    fn merge_overlaps(&mut self) {
        // If spans begin at the same byte, the longest gives its rule.
        self.spans
            .sort_unstable_by_key(|span| (span.start, usize::MAX - span.end));
        self.spans.dedup_by(|next, kept| {
            let overlap = next.start < kept.end;
            if overlap {
                kept.end = kept.end.max(next.end);
            }
            overlap
        });
    }
}
