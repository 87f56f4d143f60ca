//! The last program of each process of the workspaces, so that the line of a child can name its
//! parent's program.

use exectrail_common::record::{Exec, Exit};
use quick_cache::{Weighter, unsync::Cache};

use crate::output::Parent;

/// Maximum memory of the table, bytes. When it is full, processes without a child that has a line
/// are evicted first.
const MAX_BYTES: u64 = 4 << 20;
/// Memory of an entry without its strings, bytes.
const ENTRY_BYTES: u64 = 128;
/// Number of entries that the table is made for; it can have more.
const USUAL_ENTRIES: usize = 4096;
/// Maximum bytes of argv in an entry.
const MAX_ARGV: usize = 1024;

/// A process: its id and start time.
type Id = (u32, u64);

/// The last program that a process executed.
#[derive(Clone, Debug)]
struct Image {
    /// Number of execs of the process and its ancestors.
    execs: u32,
    /// The path of the file, and argv.
    strings: Box<[u8]>,
    /// Length of the path; `None` if it is unknown.
    exe_len: Option<usize>,
    /// Whether the end of argv is missing.
    argv_truncated: bool,
}

/// The memory of an entry.
#[derive(Clone, Debug)]
struct Bytes;

impl Weighter<Id, Image> for Bytes {
    fn weight(&self, _: &Id, image: &Image) -> u64 {
        ENTRY_BYTES + image.strings.len() as u64
    }
}

/// The table of processes, in bounded memory.
#[derive(Debug)]
pub(super) struct Processes(Cache<Id, Image, Bytes>);

impl Default for Processes {
    fn default() -> Self {
        Self(Cache::with_weighter(USUAL_ENTRIES, MAX_BYTES, Bytes))
    }
}

impl Processes {
    /// A process has executed a program.
    pub(super) fn executed(&mut self, head: &Exec, exe: Option<&[u8]>, argv: &[u8]) {
        let kept = argv.get(..MAX_ARGV).unwrap_or(argv);
        let image = Image {
            execs: head.origin.execs,
            strings: [exe.unwrap_or_default(), kept].concat().into(),
            exe_len: exe.map(<[u8]>::len),
            argv_truncated: kept.len() != head.argv_len as usize,
        };
        self.0
            .insert((head.subject.tgid, head.subject.start), image);
    }

    /// A process has ended.
    pub(super) fn ended(&mut self, exit: &Exit) {
        self.0.remove(&(exit.tgid, exit.start));
    }

    /// The program of the parent of `head`'s process. `None` if the parent has executed something
    /// since its last line. Also `None` if the parent is not in the table: for example, it was
    /// forked and has executed nothing, so it has no line.
    pub(super) fn parent(&self, head: &Exec) -> Option<Parent<'_>> {
        let image = self.0.get(&(head.subject.ppid, head.subject.ppid_start))?;
        if image.execs != head.origin.parent_execs {
            return None;
        }
        let (exe, argv) = image.strings.split_at_checked(image.exe_len.unwrap_or(0))?;
        Some(Parent {
            exe: image.exe_len.map(|_| exe),
            argv,
            argv_truncated: image.argv_truncated,
        })
    }
}

#[cfg(test)]
mod tests {
    use exectrail_common::record::{Origin, Subject};

    use super::*;

    fn head(tgid: u32, ppid: u32) -> Exec {
        Exec {
            subject: Subject {
                tgid,
                start: tgid.into(),
                ppid,
                ppid_start: ppid.into(),
                ..Subject::default()
            },
            origin: Origin {
                execs: 7,
                parent_execs: 7,
                ..Origin::default()
            },
            argv_len: 3,
            ..Exec::default()
        }
    }

    #[test]
    fn a_parent_is_named_while_it_runs_the_same_program() {
        let mut processes = Processes::default();
        assert!(processes.parent(&head(2, 1)).is_none());
        processes.executed(&head(1, 0), Some(b"/bin/sh"), b"sh\0");
        let parent = processes.parent(&head(2, 1)).unwrap();
        assert_eq!(
            (parent.exe, parent.argv),
            (Some(&b"/bin/sh"[..]), &b"sh\0"[..])
        );
        assert!(!parent.argv_truncated);
        // The parent has executed something whose record was lost or suppressed.
        let mut later = head(2, 1);
        later.origin.parent_execs = 8;
        assert!(processes.parent(&later).is_none());
        // Another process has the parent's number.
        let mut other = head(2, 1);
        other.subject.ppid_start += 1;
        assert!(processes.parent(&other).is_none());
    }

    #[test]
    fn a_shell_outlives_a_million_programs_that_start_nothing() {
        let mut processes = Processes::default();
        processes.executed(&head(1, 0), Some(b"/bin/bash"), b"bash\0");
        for child in 2..1_000_000 {
            assert!(
                processes.parent(&head(child, 1)).is_some(),
                "lost before {child}"
            );
            processes.executed(&head(child, 1), Some(b"/usr/bin/gcc"), &[b'x'; 200]);
        }
        assert!(processes.0.weight() <= MAX_BYTES);
    }

    #[test]
    fn a_long_argv_is_cut_and_flagged() {
        let mut processes = Processes::default();
        let long = vec![b'x'; 5000];
        let parent = Exec {
            argv_len: 5000,
            ..head(1, 0)
        };
        processes.executed(&parent, None, &long);
        let parent = processes.parent(&head(2, 1)).unwrap();
        assert_eq!((parent.exe, parent.argv.len()), (None, MAX_ARGV));
        assert!(parent.argv_truncated);
    }
}
