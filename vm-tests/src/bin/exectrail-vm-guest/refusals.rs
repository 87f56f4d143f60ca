//! Where tracing is impossible, exectrail says so.

use crate::Test;

/// The scenario's tests.
pub(crate) const TESTS: [Test; 0] = [];
