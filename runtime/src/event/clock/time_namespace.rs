//! The probes read the boot clock of the init time namespace; system calls return that of our own
//! time namespace (time_namespaces(7)). This module finds the difference.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use procfs::process::Process;

/// Offset of the boot clock of our time namespace from the kernel's own, nanoseconds. It is
/// constant: a process stays in its time namespace.
pub(super) static BOOT_OFFSET: LazyLock<i128> =
    LazyLock::new(|| boot_offset(Path::new("/proc")).unwrap_or(0));

/// Reads the offset. `None` without procfs, if no file shows the offset of our namespace, or on
/// kernels without time namespaces.
fn boot_offset(proc: &Path) -> Option<i128> {
    let own = fs::read_link(proc.join("self/ns/time")).ok()?;
    // `timens_offsets` of a process shows the offsets of its children's time namespace.
    let shows_own = |process: &PathBuf| {
        fs::read_link(process.join("ns/time_for_children")).is_ok_and(|children| children == own)
    };
    let candidates = [proc.join("self"), parent(proc)?, proc.join("1")];
    let process = candidates.into_iter().find(shows_own)?;
    parse(&fs::read_to_string(process.join("timens_offsets")).ok()?)
}

/// The procfs directory of our parent.
fn parent(proc: &Path) -> Option<PathBuf> {
    let process = Process::new_with_root(proc.join("self")).ok()?;
    Some(proc.join(process.stat().ok()?.ppid.to_string()))
}

/// The offset of the boot clock in a file such as `boottime 86400 0`: seconds and nanoseconds.
fn parse(offsets: &str) -> Option<i128> {
    let mut words = offsets
        .lines()
        .find_map(|line| line.strip_prefix("boottime"))?
        .split_ascii_whitespace();
    let seconds: i128 = words.next()?.parse().ok()?;
    let nanoseconds: i128 = words.next()?.parse().ok()?;
    Some(seconds * 1_000_000_000 + nanoseconds)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn offsets_are_read() {
        let text = "monotonic           5         0\nboottime      1000000         7\n";
        assert_eq!(parse(text), Some(1_000_000_000_000_007));
        assert_eq!(parse("boottime -3 500"), Some(-2_999_999_500));
        for wrong in [
            "",
            "monotonic 1 0",
            "boottime",
            "boottime x 0",
            "boottime 1",
        ] {
            assert_eq!(parse(wrong), None, "{wrong:?}");
        }
    }

    /// Makes a process in the test's procfs, with its time namespace, the time namespace of its
    /// children, and the offset in its file.
    fn process(proc: &Path, name: &str, own: &str, children: &str, seconds: i64) {
        let dir = proc.join(name);
        fs::create_dir_all(dir.join("ns")).unwrap();
        symlink(own, dir.join("ns/time")).unwrap();
        symlink(children, dir.join("ns/time_for_children")).unwrap();
        let stat = fs::read_to_string("/proc/self/stat").unwrap();
        // pid (comm) state ppid …, proc_pid_stat(5).
        let (_, rest) = stat.rsplit_once(") ").unwrap();
        let rest = rest.splitn(3, ' ').nth(2).unwrap();
        fs::write(dir.join("stat"), format!("1 (x) R 7 {rest}")).unwrap();
        fs::write(
            dir.join("timens_offsets"),
            format!("boottime {seconds} 0\n"),
        )
        .unwrap();
    }

    #[test]
    fn the_offset_is_that_of_our_own_namespace() {
        let second = 1_000_000_000;
        let proc = tempfile::tempdir().unwrap();
        symlink("42", proc.path().join("self")).unwrap();
        process(proc.path(), "42", "time:[1]", "time:[1]", 5);
        assert_eq!(boot_offset(proc.path()), Some(5 * second));

        // We have created a namespace for our children: only the parent's file shows the offset of
        // our own.
        let proc = tempfile::tempdir().unwrap();
        symlink("42", proc.path().join("self")).unwrap();
        process(proc.path(), "42", "time:[1]", "time:[2]", 5);
        assert_eq!(boot_offset(proc.path()), None);
        process(proc.path(), "7", "time:[1]", "time:[1]", 3);
        assert_eq!(boot_offset(proc.path()), Some(3 * second));

        assert_eq!(boot_offset(Path::new("/nonexistent")), None);
    }

    #[test]
    fn this_process_has_an_offset_where_the_kernel_has_time_namespaces() {
        let has_any = Path::new("/proc/self/timens_offsets").exists();
        assert_eq!(boot_offset(Path::new("/proc")).is_some(), has_any);
    }
}
