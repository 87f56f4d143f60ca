//! Execs that wait for pieces of their argv.

use exectrail_common::record::Exec;

use crate::event::decode::ExecRecord;

/// An exec whose argv still lacks pieces that will follow.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) head: Exec,
    pub(super) argv: Vec<u8>,
    /// The strings of the record besides argv, one after the other.
    strings: Vec<u8>,
    /// The lengths of the strings, except of the last one.
    lengths: [usize; 3],
}

impl Pending {
    /// The exec of this record, with memory for an argv of at least `room` bytes.
    pub(super) fn new(exec: &ExecRecord<'_>, room: usize) -> Self {
        let mut argv = Vec::new();
        // Reserve the exact size: a buffer that doubles would need twice as much.
        argv.reserve_exact(room.max(exec.argv.len()));
        argv.extend_from_slice(exec.argv);
        Self {
            head: exec.head,
            argv,
            strings: [exec.exe, exec.cwd, exec.filename, exec.stack_filename].concat(),
            lengths: [exec.exe, exec.cwd, exec.filename].map(<[u8]>::len),
        }
    }

    /// The exec with the argv received so far.
    pub(super) fn record(&self) -> ExecRecord<'_> {
        let [exe_len, cwd_len, filename_len] = self.lengths;
        let (exe, rest) = self.strings.split_at(exe_len);
        let (cwd, rest) = rest.split_at(cwd_len);
        let (filename, stack_filename) = rest.split_at(filename_len);
        ExecRecord {
            head: self.head,
            exe,
            cwd,
            filename,
            argv: &self.argv,
            stack_filename,
        }
    }
}
