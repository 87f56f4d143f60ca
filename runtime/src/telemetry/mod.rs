//! What exectrail reports about itself: diagnostics on standard error, and metrics.

pub(crate) mod diagnostics;
pub(crate) mod events;
pub(crate) mod line_limit;
pub(crate) mod metrics;
