//! What can stand in the way of the probes.

use std::{error::Error, fmt::Write as _, io, path::PathBuf};

use aya::{EbpfError, maps::MapError, programs::ProgramError};

/// Why tracing cannot be turned on. The text is complete: the verifier's log is in it.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// A file about ourselves cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The kernel's types cannot be told to the loader.
    #[error("cannot tell the loader the kernel's types: {0}")]
    Btf(aya::BtfError),
    /// The object or a map was refused.
    #[error("the kernel refused the probes' maps: {}", chain(.0))]
    Load(#[from] EbpfError),
    /// A program was refused.
    #[error("the kernel refused the program {program} on {tracepoint}: {}", chain(.source))]
    Program {
        /// Which program.
        program: &'static str,
        /// Where it was to be attached.
        tracepoint: &'static str,
        /// Why, with the verifier's log.
        source: Box<ProgramError>,
    },
    /// A map cannot be used.
    #[error("the map {map} cannot be used: {}", chain(.source))]
    Map {
        /// Which map.
        map: &'static str,
        /// Why.
        source: MapError,
    },
    /// A field lies further into its structure than an instruction can tell.
    #[error(
        "this kernel has a field {0} bytes into its structure, more than the 32,767 that a load can reach"
    )]
    FarField(u32),
    /// The object lacks something that this build relies on.
    #[error("the probes' object has no {0}; exectrail was not built as a whole")]
    Missing(&'static str),
    /// No more descriptors can be had.
    #[error("cannot keep the descriptors of the probes: {0}")]
    Descriptors(#[from] io::Error),
    /// The memory limit cannot be raised.
    #[error("cannot raise RLIMIT_MEMLOCK, which the kernel charges maps to before 5.11: {0}")]
    Memlock(rustix::io::Errno),
    /// Asked to trace the node's own PID namespace.
    #[error(
        "--use-local-pidns would trace the whole node: exectrail is in the node's own PID namespace. \
         Run the pod without hostPID"
    )]
    LocalIsInit,
    /// The program that looks at ourselves did not run.
    #[error(
        "the probes did not see exectrail itself: its PID namespace is not the one in \
         /proc/self/ns/pid, or another program keeps tracepoints off"
    )]
    OwnScope,
}

/// An error with all its sources, each on a line where it has lines of its own.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let _ = write!(text, ": {error}");
        source = error.source();
    }
    text
}
