//! Parsers of the values of flags and variables.

use std::{num::NonZeroU32, str::FromStr, time::Duration};

use jiff::SignedDuration;

use super::error::{LEAST_LINE, MOST_LINE, ValueError};
use crate::{probes::Hook, suppression::shown::Shown};

pub(crate) use exectrail_preflight::values::{address, truth};

/// Parses a duration as Go reads it (`15m`, `1h30m`, `1.5h`, `500ms`, `0`), or in another form
/// that jiff reads (`2 hours`, `PT15M`).
///
/// # Errors
/// [`ValueError::Duration`], also for a negative duration.
pub fn duration(value: &str) -> Result<Duration, ValueError> {
    if value == "0" {
        return Ok(Duration::ZERO);
    }
    SignedDuration::from_str(value)
        .ok()
        .and_then(|parsed| Duration::try_from(parsed).ok())
        .ok_or_else(|| ValueError::Duration {
            value: Shown::quoted(value),
        })
}

/// Period of checkpoints; `None` for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Checkpoints(pub Option<Duration>);

/// Parses a period of checkpoints, or `off`.
///
/// # Errors
/// [`ValueError::Period`], also for less than a second.
pub(crate) fn checkpoints(value: &str) -> Result<Checkpoints, ValueError> {
    if value == "off" {
        return Ok(Checkpoints(None));
    }
    let period = duration(value).ok();
    let period = period.filter(|period| *period >= Duration::from_secs(1));
    period
        .map(|period| Checkpoints(Some(period)))
        .ok_or_else(|| ValueError::Period {
            value: value.to_owned(),
        })
}

/// Parses the maximum length of a line.
///
/// # Errors
/// [`ValueError::Common`], [`ValueError::Line`].
pub(crate) fn line_bytes(value: &str) -> Result<u32, ValueError> {
    let bytes = exectrail_preflight::values::size(value)?;
    u32::try_from(bytes)
        .ok()
        .filter(|bytes| (LEAST_LINE..=MOST_LINE).contains(bytes))
        .ok_or(ValueError::Line { value: bytes })
}

/// Parses `key=value`. The value may have any characters, also `=`.
///
/// # Errors
/// [`ValueError::Label`] without `=` or with an empty key.
pub fn label(value: &str) -> Result<(String, String), ValueError> {
    match value.split_once('=') {
        Some((key, text)) if !key.is_empty() => Ok((key.to_owned(), text.to_owned())),
        _ => Err(ValueError::Label {
            value: Shown::quoted(value),
        }),
    }
}

/// Parses the name of a node: an RFC 1123 subdomain, as Kubernetes requires
/// (`ValidateNodeName`, pkg/apis/core/validation).
///
/// # Errors
/// [`ValueError::Node`].
pub(crate) fn node(value: &str) -> Result<String, ValueError> {
    let small = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_label = |label: &str| {
        let bytes = label.as_bytes();
        bytes.iter().all(|byte| small(*byte) || *byte == b'-')
            && bytes.first().is_some_and(|byte| small(*byte))
            && bytes.last().is_some_and(|byte| small(*byte))
    };
    if value.len() <= 253 && value.split('.').all(is_label) {
        return Ok(value.to_owned());
    }
    Err(ValueError::Node {
        value: Shown::quoted(value),
    })
}

/// Parses a burst.
///
/// # Errors
/// [`ValueError::Burst`].
pub(crate) fn burst(value: &str) -> Result<NonZeroU32, ValueError> {
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    let burst = value.parse().ok().filter(|_| digits);
    burst.ok_or_else(|| ValueError::Burst {
        value: Shown::quoted(value),
    })
}

/// Hooks for failed execs; the first that the kernel allows is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hooks(pub &'static [Hook]);

/// Parses a hook, `any` for the first that the kernel allows, or yes (`fexit`) or no.
///
/// # Errors
/// [`ValueError::Hook`].
pub(crate) fn hooks(value: &str) -> Result<Hooks, ValueError> {
    let hooks: &[Hook] = match value.to_ascii_lowercase().as_str() {
        "fexit" => &[Hook::Fexit],
        "sys-exit" => &[Hook::SysExit],
        "any" => &[Hook::Fexit, Hook::SysExit],
        other => match truth(other) {
            Ok(true) => &[Hook::Fexit],
            Ok(false) => &[],
            Err(_) => {
                return Err(ValueError::Hook {
                    value: Shown::quoted(value),
                });
            }
        },
    };
    Ok(Hooks(hooks))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooks_and_words_for_yes_and_no() {
        assert_eq!(hooks("true").unwrap(), Hooks(&[Hook::Fexit]));
        assert_eq!(hooks("sys-exit").unwrap(), Hooks(&[Hook::SysExit]));
        assert_eq!(hooks("any").unwrap(), Hooks(&[Hook::Fexit, Hook::SysExit]));
        assert!(hooks("").is_err());
        assert!(hooks("off").is_err());
        assert_eq!(hooks("False").unwrap(), Hooks(&[]));
        assert!(hooks("kprobe").is_err());
    }

    #[test]
    fn names_of_nodes_and_bursts_are_checked() {
        for name in ["a", "node-1", "ip-10-0-0-1.eu.internal", &"a".repeat(253)] {
            assert_eq!(node(name).unwrap(), name);
        }
        let long = "a".repeat(120_000);
        for wrong in [
            "",
            "A",
            "-a",
            "a-",
            "a..b",
            "a_b",
            "a b",
            "a\nb",
            ".",
            &long[..254],
            &long,
        ] {
            let error = node(wrong).unwrap_err().to_string();
            assert!(error.contains("253 bytes") && error.len() < 600, "{error}");
        }
        assert!(burst("0").is_err() && burst("-1").is_err() && burst("+1").is_err());
    }

    #[test]
    fn a_period_is_a_second_or_more() {
        assert_eq!(checkpoints("off").unwrap(), Checkpoints(None));
        let minute = Duration::from_secs(60);
        assert_eq!(checkpoints("1m").unwrap(), Checkpoints(Some(minute)));
        for wrong in ["", "0", "999ms", "false", "60"] {
            let error = checkpoints(wrong).unwrap_err().to_string();
            assert!(error.contains("at least 1s"), "{wrong}: {error}");
        }
    }

    #[test]
    fn durations_as_go_reads_them() {
        for (text, millis) in [
            ("15m", 900_000),
            ("1h30m", 5_400_000),
            ("1.5h", 5_400_000),
            ("500ms", 500),
            ("0", 0),
            ("0s", 0),
            ("1m0.5s", 60_500),
        ] {
            assert_eq!(
                duration(text).unwrap(),
                Duration::from_millis(millis),
                "{text}"
            );
        }
        for wrong in ["", "15", "-1s", "m", "1 parsec", "99999999999999999999h"] {
            assert!(duration(wrong).is_err(), "{wrong:?} was accepted");
        }
    }

    #[test]
    fn labels_keep_whatever_follows_the_first_equals_sign() {
        assert_eq!(label("a=b=c").unwrap(), ("a".into(), "b=c".into()));
        assert_eq!(label("a=").unwrap(), ("a".into(), String::new()));
        assert!(label("a").is_err());
        assert!(label("=b").is_err());
    }
}
