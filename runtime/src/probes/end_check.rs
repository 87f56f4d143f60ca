//! Asking the kernel whether a namespace has ended: the question goes into a map, and a write to
//! our own `oom_score_adj`, of the value that it has, runs the program that answers it.

use std::fs;

use aya::maps::{Array, MapData};
use bytemuck::cast;
use exectrail_common::target::{END_NO, END_YES, EndCheck};

use crate::target::Known;

/// Where a process sets how likely it is to be killed when memory is short.
const OOM_SCORE_ADJ: &str = "/proc/self/oom_score_adj";

/// How often a question is asked at most: the kernel may skip the program once.
const TRIES: usize = 3;

/// [`EndCheck`] in words, as the map has it.
type Words = [u64; size_of::<EndCheck>() / 8];

/// Asks the probes whether a namespace has ended.
pub(super) struct EndChecks(Array<MapData, Words>);

/// Why it is not known whether a namespace has ended.
#[derive(Debug, thiserror::Error)]
pub enum EndUnknown {
    /// The kernel does not have what it takes.
    #[error("this kernel has no tracepoint to ask by, or no program may read its memory")]
    Unsupported,
    /// No exec has shown where the namespace is.
    #[error("nothing has been executed in it since it is a target")]
    Unseen,
    /// The file that is written to in order to ask.
    #[error("cannot write to {OOM_SCORE_ADJ}: {0}")]
    Ask(#[from] std::io::Error),
    /// The map.
    #[error("cannot use the map END_CHECK: {0}")]
    Map(#[from] aya::maps::MapError),
    /// The program did not run.
    #[error("the program that answers did not run")]
    Unanswered,
}

impl EndChecks {
    pub(super) fn new(map: Array<MapData, Words>) -> Self {
        Self(map)
    }

    /// Whether no process is in the namespace of `target` any more, nor can be.
    pub(super) fn has_ended(&mut self, target: &Known) -> Result<bool, EndUnknown> {
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
            let value = fs::read(OOM_SCORE_ADJ)?;
            fs::write(OOM_SCORE_ADJ, value)?;
            match cast::<Words, EndCheck>(self.0.get(&0, 0)?).answer {
                END_YES => return Ok(true),
                END_NO => return Ok(false),
                _ => {}
            }
        }
        Err(EndUnknown::Unanswered)
    }
}
