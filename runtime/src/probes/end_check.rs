//! Checks with the kernel whether a namespace has ended. User space puts the question into a map.
//! Then it writes the current value of its own `oom_score_adj` again. This write runs the program
//! that answers.

use aya::maps::{Array, MapData};
use bytemuck::cast;
use exectrail_common::target::{END_NO, END_YES, EndCheck};
use procfs::process::Process;

use crate::handshake::verdict::Namespace;

/// Maximum number of tries: the kernel may skip the program.
const TRIES: usize = 3;

/// [`EndCheck`] as words, the value type of the map.
type Words = [u64; size_of::<EndCheck>() / 8];

/// Checks whether namespaces have ended.
pub(super) struct EndChecks(Array<MapData, Words>);

/// Why the end of a namespace is unknown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EndUnknown {
    /// The kernel lacks the tracepoint that the check needs.
    #[error("this kernel lacks the tracepoint oom_score_adj_update")]
    Unsupported,
    /// No exec has shown the address of the namespace.
    #[error("no exec has shown the address of the namespace")]
    Unseen,
    /// The write that runs the program failed.
    #[error("cannot write to /proc/self/oom_score_adj: {0}")]
    Ask(#[from] procfs::ProcError),
    /// The map failed.
    #[error("cannot use the map END_CHECK: {0}")]
    Map(#[from] aya::maps::MapError),
    /// The program did not run.
    #[error("the program end_check did not run")]
    Unanswered,
}

impl EndChecks {
    pub(super) fn new(map: Array<MapData, Words>) -> Self {
        Self(map)
    }

    /// Whether the namespace of `target` has no process, except perhaps its ending reaper, and
    /// cannot get one.
    pub(super) fn has_ended(&mut self, target: &Namespace) -> Result<bool, EndUnknown> {
        if target.state.address == 0 {
            return Err(EndUnknown::Unseen);
        }
        let question = EndCheck {
            id: target.id,
            address: target.state.address,
            ..EndCheck::default()
        };
        for _ in 0..TRIES {
            self.0.set(0, cast::<EndCheck, Words>(question), 0)?;
            let process = Process::myself()?;
            process.set_oom_score_adj(process.oom_score_adj()?)?;
            match cast::<Words, EndCheck>(self.0.get(&0, 0)?).answer {
                END_YES => return Ok(true),
                END_NO => return Ok(false),
                _ => {}
            }
        }
        Err(EndUnknown::Unanswered)
    }
}
