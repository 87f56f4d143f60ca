//! Cgroups: the hierarchy that pods are in, entering a cgroup, and removing one.

use std::{fs, path::Path, process::Command, thread::sleep, time::Duration};

/// Number of attempts to remove a cgroup, and the time between them.
const ATTEMPTS: usize = 200;
const INTERVAL: Duration = Duration::from_millis(10);

/// Mount point of the hierarchy that pods are in: with cgroup v1 the hierarchy of the pids
/// controller, else the only hierarchy.
pub fn hierarchy() -> &'static Path {
    let v1 = Path::new("/sys/fs/cgroup/pids");
    if v1.is_dir() {
        v1
    } else {
        Path::new("/sys/fs/cgroup")
    }
}

/// A script for `sh -c` that enters a cgroup and then executes the program `$0` with its arguments.
pub fn entry_script(cgroup: &Path) -> String {
    format!(
        "echo 0 >'{}/cgroup.procs' && exec \"$0\" \"$@\"",
        cgroup.display()
    )
}

/// A command that starts the program of `command`, with its arguments, in a cgroup.
pub fn entering(cgroup: &Path, command: &Command) -> Command {
    let mut entering = Command::new("sh");
    entering
        .arg("-c")
        .arg(entry_script(cgroup))
        .arg(command.get_program())
        .args(command.get_args());
    entering
}

/// Removes a cgroup and those below it. A process that has just been killed stays in its cgroup for
/// a moment. A cgroup with a process that still runs is not removed.
pub fn remove(cgroup: &Path) {
    for entry in fs::read_dir(cgroup).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path());
        }
    }
    for _ in 0..ATTEMPTS {
        if fs::remove_dir(cgroup).is_ok() {
            return;
        }
        sleep(INTERVAL);
    }
}
