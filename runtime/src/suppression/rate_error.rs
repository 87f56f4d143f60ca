//! Why a value of `--rate-limit` is refused.

use super::shown::Shown;

/// Not a rate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RateError {
    /// Neither of the form `NUMBER/UNIT` nor `BYTES/UNIT`.
    #[error(
        "{0} is not a rate: write execs and a unit of time, such as 1000/s, 600/m or 5000/h, or \
         bytes and a unit of time, such as 10MiB/m"
    )]
    Form(Shown),
    /// A rate of 0.
    #[error(
        "{0} would record nothing: give 1 or more, or use --exclude 'filename=*' to record nothing"
    )]
    Zero(Shown),
    /// Above the maximum, which is a number of execs per second.
    #[error("{0} is more than the maximum of {1}/s")]
    Fast(Shown, u64),
}
