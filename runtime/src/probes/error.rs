//! Errors of loading and attaching the probes.

use std::{error::Error, fmt::Write as _, io, path::PathBuf};

use aya::{EbpfError, maps::MapError, programs::ProgramError};

/// Why tracing cannot start. For a refused program, the text has the verifier's reason. With
/// `--log-level debug`, the text also has each instruction that the verifier checked before.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AttachError {
    /// The file that lists the node's CPUs cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The kernel's error.
        source: io::Error,
    },
    /// The files about this process cannot be read.
    #[error("cannot read the files of this process in /proc: {0}")]
    Proc(procfs::ProcError),
    /// The kernel has no namespaces of this kind.
    #[error("this kernel has no {0} namespaces, which separate workspaces")]
    NoNamespace(&'static str),
    /// aya did not accept the BTF that `kernel_btf` makes.
    #[error("the loader refused the kernel's types: {0}")]
    Btf(#[from] aya::BtfError),
    /// The kernel refused the object or a map.
    #[error("the kernel refused the probes' maps: {}", chain(.0))]
    Load(#[from] EbpfError),
    /// The kernel refused a program.
    #[error("the kernel refused the program {program} on {tracepoint}: {}", chain(.source))]
    Program {
        /// The program.
        program: &'static str,
        /// Attach point of the program.
        tracepoint: &'static str,
        /// The error, with the verifier's reason.
        source: Box<ProgramError>,
    },
    /// A map cannot be used.
    #[error("the map {map} cannot be used: {}", chain(.source))]
    Map {
        /// The map.
        map: &'static str,
        /// The error.
        source: MapError,
    },
    /// A field's offset is too large for a load instruction.
    #[error(
        "this kernel has a field {0} bytes into its structure, more than the 32,767 that a load \
        can reach"
    )]
    FarField(u32),
    /// The object lacks a part that this build needs.
    #[error("the probes' object has no {0}: this build of exectrail is broken")]
    Missing(&'static str),
    /// No more descriptors are available.
    #[error("cannot duplicate a descriptor of the probes: {0}")]
    Descriptors(#[from] io::Error),
    /// The memory limit cannot be raised.
    #[error("cannot raise RLIMIT_MEMLOCK, against which kernels before 5.11 count maps: {0}")]
    Memlock(rustix::io::Errno),
    /// The request is to trace the node's own PID namespace.
    #[error(
        "--use-local-pidns would trace the whole node: exectrail is in the node's own PID \
        namespace. \
         Run the pod without hostPID"
    )]
    LocalIsInit,
    /// The program that looks at this process did not run.
    #[error(
        "the probes did not see exectrail itself: its PID namespace is not the one in \
         /proc/self/ns/pid, or another program has disabled tracepoints"
    )]
    SidecarScope,
}

/// An error with all its sources.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let _ = write!(text, ": {error}");
        source = error.source();
    }
    text
}

/// Adds the name of the map to an error of a map.
pub(super) fn map_error(map: &'static str) -> impl FnOnce(MapError) -> AttachError + Copy {
    move |source| AttachError::Map { map, source }
}
