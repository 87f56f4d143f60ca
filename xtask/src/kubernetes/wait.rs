//! Waiting for the cluster.

use std::fmt::Display;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Limit of each wait: the machine may be busy with other things.
const PATIENCE: Duration = Duration::from_secs(300);

/// Pause between attempts: each may start a program.
const INTERVAL: Duration = Duration::from_millis(300);

/// Waits until `attempt` has a value. An attempt without a value returns what it saw instead. If
/// the time is over, the error begins with "waited 300 s in vain for" and `what`. An error of
/// `attempt` ends the wait.
pub(super) fn wait_for<T, E: Display>(
    what: &str,
    mut attempt: impl FnMut() -> Result<Result<T, E>>,
) -> Result<T> {
    let since = Instant::now();
    loop {
        let instead = match attempt()? {
            Ok(value) => return Ok(value),
            Err(instead) => instead,
        };
        if since.elapsed() > PATIENCE {
            bail!(
                "waited {} s in vain for {what}: {instead}",
                PATIENCE.as_secs()
            );
        }
        sleep(INTERVAL);
    }
}
