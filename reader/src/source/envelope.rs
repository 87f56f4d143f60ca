//! Finds a line of exectrail in a key of a JSON object from a container runtime or a collector.

use std::{
    borrow::Cow,
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::prefix::Part;

/// The key `ts` of a line, as it is escaped in a string of JSON.
const TIME: &str = r#"\"ts\":"#;

/// The kind of a JSON object.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Opened<'a> {
    /// A line of exectrail.
    Ours,
    /// An object with a text that may be a line.
    Text(Enclosed<'a>),
    /// An object with another object that may be a line.
    Object(&'a [u8]),
    /// A document with many events.
    Document,
    /// An object of another kind.
    Other,
    /// Not a JSON object.
    Invalid,
}

/// A text in a JSON object.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Enclosed<'a> {
    pub(super) text: Cow<'a, str>,
    pub(super) part: Part,
    pub(super) is_stderr: bool,
    /// A hash of keys that differ between containers.
    pub(super) origin: u64,
}

/// The keys that are read. Every value may be of any type.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    ts: Option<&'a RawValue>,
    #[serde(borrow)]
    msg: Option<&'a RawValue>,
    #[serde(borrow)]
    fields: Option<&'a RawValue>,
    // Keys of Docker's json-file, Fluent Bit and Fluentd.
    #[serde(borrow)]
    log: Option<&'a RawValue>,
    #[serde(borrow)]
    stream: Option<&'a RawValue>,
    /// The tag of a CRI file, under the name that Fluent Bit's parsers give it.
    #[serde(borrow, rename = "_p")]
    tag: Option<&'a RawValue>,
    #[serde(borrow)]
    logtag: Option<&'a RawValue>,
    // Keys of Vector and CloudWatch, journald, Loki, OpenTelemetry, Splunk, Google, and CloudWatch
    // Insights.
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow, rename = "MESSAGE")]
    journald: Option<&'a RawValue>,
    #[serde(borrow)]
    line: Option<&'a RawValue>,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
    #[serde(borrow, rename = "_raw")]
    raw: Option<&'a RawValue>,
    #[serde(borrow, rename = "textPayload")]
    text_payload: Option<&'a RawValue>,
    #[serde(borrow, rename = "@message")]
    insights: Option<&'a RawValue>,
    // Keys with an object as value: Fluent Bit's Merge_Log_Key, Google, Elasticsearch.
    #[serde(borrow)]
    log_processed: Option<&'a RawValue>,
    #[serde(borrow, rename = "jsonPayload")]
    json_payload: Option<&'a RawValue>,
    #[serde(borrow, rename = "_source")]
    source: Option<&'a RawValue>,
    // The key of a document with many events.
    #[serde(borrow)]
    events: Option<&'a RawValue>,
    // Keys that differ between containers.
    #[serde(borrow)]
    kubernetes: Option<&'a RawValue>,
    #[serde(borrow)]
    file: Option<&'a RawValue>,
    #[serde(borrow)]
    filepath: Option<&'a RawValue>,
    #[serde(borrow)]
    filename: Option<&'a RawValue>,
    #[serde(borrow)]
    container_id: Option<&'a RawValue>,
    #[serde(borrow)]
    labels: Option<&'a RawValue>,
}

/// Finds out what a JSON object is.
pub(super) fn open(bytes: &[u8]) -> Opened<'_> {
    let Ok(envelope) = serde_json::from_slice::<Envelope<'_>>(bytes) else {
        return Opened::Invalid;
    };
    if is_object(envelope.fields) && is_text(envelope.ts) && is_text(envelope.msg) {
        return Opened::Ours;
    }
    let texts = [
        envelope.log,
        envelope.message,
        envelope.journald,
        envelope.msg,
        envelope.line,
        envelope.body,
        envelope.raw,
        envelope.text_payload,
        envelope.insights,
    ];
    // Prefers a text with the key `ts`, because other keys may have text of another program.
    let has_time = |value: &Option<&RawValue>| {
        is_text(*value) && value.is_some_and(|value| value.get().contains(TIME))
    };
    let likely = texts.into_iter().filter(has_time);
    for candidate in likely.chain(texts) {
        if let Some(text) = text(candidate)
            && may_lead_to_a_line(&text, &envelope)
        {
            let part = part(&envelope, &text);
            return Opened::Text(Enclosed {
                text,
                part,
                is_stderr: self::text(envelope.stream).as_deref() == Some("stderr"),
                origin: origin(&envelope),
            });
        }
    }
    let objects = [
        envelope.log_processed,
        envelope.json_payload,
        envelope.source,
        envelope.log,
        envelope.message,
        envelope.journald,
        envelope.msg,
        envelope.line,
        envelope.body,
    ];
    match objects.into_iter().find(|value| is_object(*value)) {
        Some(Some(object)) => Opened::Object(object.get().as_bytes()),
        _ if envelope.events.is_some() => Opened::Document,
        _ => Opened::Other,
    }
}

fn is_text(value: Option<&RawValue>) -> bool {
    value.is_some_and(|value| value.get().starts_with('"'))
}

fn is_object(value: Option<&RawValue>) -> bool {
    value.is_some_and(|value| value.get().starts_with('{'))
}

/// The tag of a CRI file.
fn tag<'a>(envelope: &Envelope<'a>) -> Option<&'a RawValue> {
    envelope.tag.or(envelope.logtag)
}

/// The value if it is a text. It is copied only if it contains escapes.
fn text(value: Option<&RawValue>) -> Option<Cow<'_, str>> {
    let json = value.filter(|value| is_text(Some(value)))?.get();
    match serde_json::from_str::<&str>(json) {
        Ok(text) => Some(Cow::Borrowed(text)),
        Err(_) => serde_json::from_str(json).ok().map(Cow::Owned),
    }
}

/// Whether a text may be a line, or a part of one. A whole line has a `{`; a text without it may be
/// text of another program. A part of a line may lack the `{`, but has a tag or a stream beside it.
fn may_lead_to_a_line(text: &str, envelope: &Envelope<'_>) -> bool {
    text.contains('{') || tag(envelope).is_some() || envelope.stream.is_some()
}

/// Which part of a line the text is. Docker's json-file and Fluent Bit mark the parts.
fn part(envelope: &Envelope<'_>, text: &str) -> Part {
    match self::text(tag(envelope)).as_deref() {
        Some("P") => return Part::Partial,
        Some(_) => return Part::Last,
        None => {}
    }
    if text.ends_with('\n') {
        return Part::Last;
    }
    // Docker ends only the last part with a line break. Collectors may remove the line break.
    if envelope.stream.is_some() && envelope.log.is_some() {
        Part::Unmarked
    } else {
        Part::Whole
    }
}

/// Whether a text is a whole JSON object.
pub(super) fn is_whole(text: &[u8]) -> bool {
    let text = text.trim_ascii_end();
    text.starts_with(b"{")
        && text.ends_with(b"}")
        && serde_json::from_slice::<serde::de::IgnoredAny>(text).is_ok()
}

fn origin(envelope: &Envelope<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    for value in [
        envelope.kubernetes,
        envelope.file,
        envelope.filepath,
        envelope.filename,
        envelope.container_id,
        envelope.labels,
    ] {
        value.map(RawValue::get).hash(&mut hasher);
    }
    hasher.finish()
}
