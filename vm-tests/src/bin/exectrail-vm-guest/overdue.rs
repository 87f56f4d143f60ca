//! If this machine has reported nothing for a long time, reports what it does, because the host
//! cannot see that from outside. The host's `runner.rs` puts the time limit into the plan; its
//! `outcome.rs` prints the report.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use exectrail_vm_tests::{Message, Plan};

use crate::report::Report;

/// Maximum number of functions of a kernel stack to show, from the innermost.
const FUNCTIONS: usize = 5;

/// If nothing was reported for the time that the plan sets, reports what every thread does.
pub(crate) fn watch(plan: &Plan, report: &Arc<Report>) {
    let report = Arc::clone(report);
    let limit = Duration::from_secs(plan.overdue_after);
    thread::spawn(move || {
        loop {
            let left = limit.saturating_sub(report.used().elapsed());
            if left.is_zero() {
                report.say(&Message::Overdue { doing: doing() });
            } else {
                thread::sleep(left);
            }
        }
    });
}

/// The load average, and one line for each thread of each process, except the kernel's own idle
/// threads.
fn doing() -> String {
    let mut text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    for process in numbered("/proc".as_ref()) {
        let read = |name: &str| fs::read(process.join(name)).unwrap_or_default();
        let command = String::from_utf8_lossy(&read("cmdline")).replace('\0', " ");
        for thread in numbered(&process.join("task")) {
            let read = |name: &str| fs::read_to_string(thread.join(name)).unwrap_or_default();
            let status = read("stat");
            let state = status
                .rsplit_once(") ")
                .and_then(|(_, rest)| rest.chars().next())
                .unwrap_or('?');
            if command.is_empty() && matches!(state, 'S' | 'I') {
                continue;
            }
            let stack = read("stack");
            let id = thread.file_name().unwrap_or_default().to_string_lossy();
            let comm = read("comm");
            let system_call = read("syscall");
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "{id} {comm} {state} [{command}] syscall {system_call}: {stack}",
                comm = comm.trim_end(),
                command = command.trim_end(),
                system_call = system_call.split(' ').next().unwrap_or_default().trim_end(),
                stack = functions(&stack).join(" < "),
            );
        }
    }
    text
}

/// Entries of a directory whose names are numbers: processes, or threads.
fn numbered(directory: &Path) -> Vec<PathBuf> {
    let mut found: Vec<(u32, _)> = fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())))
        .collect();
    found.sort();
    found.into_iter().map(|(_, path)| path).collect()
}

/// Names of functions in `/proc/PID/stack`: each line is `[<0>] name+0x1/0x2`, with ` [module]` at
/// the end if the function is a module's.
fn functions(stack: &str) -> Vec<&str> {
    stack
        .lines()
        .filter_map(|line| line.split(' ').nth(1)?.split('+').next())
        .take(FUNCTIONS)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::functions;

    #[test]
    fn functions_of_modules_have_their_names() {
        let stack = "[<0>] ext4_sync_file+0x10/0x20 [ext4]\n[<0>] do_fsync+0x38/0x60\n";
        assert_eq!(functions(stack), ["ext4_sync_file", "do_fsync"]);
    }
}
