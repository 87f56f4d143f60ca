//! The two formats that Prometheus reads, and the choice between them for a scraper.
//!
//! prometheus-client writes OpenMetrics, in which the family of a counter has no `_total` in its
//! name. Prometheus' own linter (`promtool check metrics`) reads both formats as the text format.
//! It reports counters without `_total` in the family as undocumented. The linter has to accept
//! both formats of this module. So families have the names of their samples. In OpenMetrics,
//! counters have no TYPE line, because a family without a type may have any name.

use hyper::header::HeaderValue;

/// A format of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// The text format 0.0.4, which every scraper reads.
    Text,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
}

/// The media type of [`Format::OpenMetrics`].
const OPEN_METRICS: &str = "application/openmetrics-text";
/// Versions of OpenMetrics that a scraper may ask for; the answer is always 1.0.0.
const VERSIONS: [&str; 2] = ["1.0.0", "0.0.1"];

impl Format {
    /// The value of the `Content-Type` header.
    pub(crate) fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        })
    }

    /// The format for these `Accept` headers (RFC 9110, section 12.5.1): OpenMetrics if it is named
    /// and `text/plain` has no greater weight; otherwise text.
    pub(crate) fn accepted<'a>(accept: impl IntoIterator<Item = &'a HeaderValue>) -> Self {
        let (mut open, mut text) = (0, 0);
        let headers = accept.into_iter().filter_map(|value| value.to_str().ok());
        for range in headers.flat_map(|value| value.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let media_type = parts.next().unwrap_or_default().to_ascii_lowercase();
            let (mut weight, mut version) = (1000, None);
            for (name, value) in parts.filter_map(|part| part.split_once('=')) {
                match name.trim().to_ascii_lowercase().as_str() {
                    "q" => weight = thousandths(value.trim()),
                    "version" => version = Some(value.trim().trim_matches('"')),
                    _ => {}
                }
            }
            match media_type.as_str() {
                OPEN_METRICS if version.is_none_or(|version| VERSIONS.contains(&version)) => {
                    open = open.max(weight);
                }
                "text/plain" if version.is_none_or(|version| version == "0.0.4") => {
                    text = text.max(weight);
                }
                _ => {}
            }
        }
        if open > 0 && open >= text {
            Self::OpenMetrics
        } else {
            Self::Text
        }
    }

    /// The output of prometheus-client, in this format.
    pub(super) fn rewrite(self, encoded: &str) -> String {
        let mut text = String::with_capacity(encoded.len() + encoded.len() / 4);
        // prometheus-client writes the help of a family first, then its type.
        let mut help: Option<(&str, &str)> = None;
        for line in encoded.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                help = rest.split_once(' ');
            } else if let Some((name, kind)) = line
                .strip_prefix("# TYPE ")
                .and_then(|rest| rest.split_once(' '))
            {
                let is_counter = kind == "counter";
                let suffix = if is_counter { "_total" } else { "" };
                if let Some((_, about)) = help.take().filter(|(of, _)| *of == name) {
                    text.push_str(&format!("# HELP {name}{suffix} {about}\n"));
                }
                if self == Self::Text || !is_counter {
                    text.push_str(&format!("# TYPE {name}{suffix} {kind}\n"));
                }
            } else if !line.starts_with('#') {
                text.push_str(line);
                text.push('\n');
            }
        }
        if self == Self::OpenMetrics {
            text.push_str("# EOF\n");
        }
        text
    }
}

/// A weight in thousandths; 0 if the text is not a weight.
fn thousandths(text: &str) -> u32 {
    let weight = text.parse::<f32>().unwrap_or(0.0);
    (weight.clamp(0.0, 1.0) * 1000.0) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_scrapers_ask_for_is_what_they_get() {
        use Format::{OpenMetrics, Text};
        for (accept, expected) in [
            ("", Text),
            ("*/*", Text),
            ("text/plain", Text),
            ("text/html, */*;q=0.1", Text),
            ("application/openmetrics-text", OpenMetrics),
            ("Application/OpenMetrics-Text; Version=1.0.0", OpenMetrics),
            (
                "application/openmetrics-text;version=\"1.0.0\"",
                OpenMetrics,
            ),
            ("application/openmetrics-text; version=2.0.0", Text),
            ("application/openmetrics-text;q=0", Text),
            ("application/openmetrics-text;q=0.1, text/plain;q=0.5", Text),
            (
                "application/openmetrics-text;q=0.5, text/plain;q=0.1",
                OpenMetrics,
            ),
            ("application/openmetrics-text;q=0.5, */*;q=0.9", OpenMetrics),
            ("text/plain, application/openmetrics-text", OpenMetrics),
            ("application/vnd.google.protobuf", Text),
            ("application/openmetrics-text;q=one", Text),
            ("application/openmetrics-text;q=nan", Text),
            (",;=;,;q", Text),
            // Prometheus 2 and 3.
            (
                "application/openmetrics-text;version=1.0.0,\
                 application/openmetrics-text;version=0.0.1;q=0.75,\
                 text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                OpenMetrics,
            ),
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
                 application/openmetrics-text;version=0.0.1;q=0.4,\
                 text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
                 text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
                OpenMetrics,
            ),
        ] {
            let value = HeaderValue::from_str(accept).unwrap();
            assert_eq!(Format::accepted([&value]), expected, "{accept}");
        }
        assert_eq!(Format::accepted([]), Text);
        let both = ["text/plain;q=0.2", "application/openmetrics-text;q=0.3"];
        let both = both.map(HeaderValue::from_static);
        assert_eq!(Format::accepted(&both), OpenMetrics);
    }
}
