//! Waiting for events.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use crate::{Error, Result};

/// Time limit of each step: on a busy machine a step can take a hundred times as long as usual.
pub const PATIENCE: Duration = Duration::from_secs(240);

/// Interval of attempts.
const INTERVAL: Duration = Duration::from_millis(10);

/// Waits until `condition` has a value, for [`PATIENCE`] at most. `what` continues "in vain for".
pub fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> Result<T> {
    try_wait_for(what, || Ok(condition()))
}

/// As [`wait_for`], with a condition that can fail, which ends the wait.
pub fn try_wait_for<T, E: From<Error>>(
    what: &str,
    mut condition: impl FnMut() -> std::result::Result<Option<T>, E>,
) -> std::result::Result<T, E> {
    let start = Instant::now();
    loop {
        if let Some(value) = condition()? {
            return Ok(value);
        }
        let waited = start.elapsed();
        if waited > PATIENCE {
            return Err(E::from(Error::InVain {
                what: what.to_owned(),
                waited,
            }));
        }
        sleep(INTERVAL);
    }
}
