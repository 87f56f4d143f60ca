//! A test, and lists of tests.

use anyhow::Result;
use exectrail_vm_tests::Plan;

use crate::report::Report;

/// A test: its name is the guarantee that it checks.
pub(crate) type Test = (&'static str, fn(&Plan, &Report) -> Result<()>);

/// Tests by the names of their functions.
macro_rules! tests {
    ($($test:ident),+ $(,)?) => { &[$((stringify!($test), $test)),+] };
}
pub(crate) use tests;
