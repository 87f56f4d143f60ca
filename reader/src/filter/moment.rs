//! A time on the command line.

use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};

/// A time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    text: String,
}

/// Text that is not a time.
#[derive(Debug, thiserror::Error)]
#[error(
    "{value:?} is not a time: write it as 2026-11-26T10:00:00Z, or how long ago it was, such as \
    90s, 15m, 2h or 3d"
)]
pub(crate) struct MomentError {
    value: String,
}

impl Moment {
    /// The time in the format of lines. Times can be compared as texts.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

impl From<Timestamp> for Moment {
    fn from(time: Timestamp) -> Self {
        Self {
            text: format!("{time:.9}"),
        }
    }
}

/// Parses how long ago a time was: a number and a unit.
fn ago(value: &str) -> Option<SignedDuration> {
    let unit = value.chars().last()?;
    let number: i64 = value.strip_suffix(unit)?.parse().ok()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    let seconds = number
        .checked_mul(seconds)
        .filter(|seconds| *seconds >= 0)?;
    Some(SignedDuration::from_secs(seconds))
}

/// Parses a time.
///
/// # Errors
/// If the text is not a time, and does not say how long ago a time was.
pub(crate) fn time(value: &str) -> Result<Timestamp, MomentError> {
    let time = match ago(value) {
        Some(ago) => Timestamp::now().checked_sub(ago).ok(),
        None => value.parse().ok(),
    };
    time.ok_or_else(|| MomentError {
        value: value.to_owned(),
    })
}

impl FromStr for Moment {
    type Err = MomentError;

    fn from_str(value: &str) -> Result<Self, MomentError> {
        time(value).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_the_form_of_lines() {
        let text = |value: &str| value.parse::<Moment>().map(|moment| moment.text);
        assert_eq!(
            text("2026-11-26T11:00:00+01:00").unwrap(),
            "2026-11-26T10:00:00.000000000Z"
        );
        let (hour, day) = (text("1h").unwrap(), text("1d").unwrap());
        assert!(day < hour && hour < Moment::from(Timestamp::now()).text);
        for wrong in [
            "",
            "x",
            "5",
            "5w",
            "-5m",
            "2026-11-26",
            "99999999999999999999d",
        ] {
            let error = text(wrong).unwrap_err().to_string();
            assert!(error.contains("15m"), "{wrong}: {error}");
        }
    }
}
