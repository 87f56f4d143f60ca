//! Waiting, and namespaces of processes.

use exectrail_testbed::wait;

/// Waits until `condition` has a value.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, condition: impl FnMut() -> Option<T>) -> T {
    wait::wait_for(what, condition).unwrap()
}

/// The inode number of a process's namespace.
#[track_caller]
pub(crate) fn namespace(pid: u32, which: &str) -> u32 {
    exectrail_testbed::process::namespace(pid, which).unwrap()
}
