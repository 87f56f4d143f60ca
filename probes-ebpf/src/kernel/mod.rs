//! Kernel structures, read at offsets that user space resolved from BTF.
//!
//! Each type here is a pointer whose BTF type the verifier knows. A load at a constant offset is
//! one instruction, which the verifier checks against the kernel's own type. If the memory is not
//! mapped, the load gives 0 (`PROBE_MEM`, kernel/bpf/verifier.c, Linux 5.5 and later).

mod binprm;
mod file;
mod pid_ns;
pub(crate) mod pointer;
mod task;

pub(crate) use binprm::Binprm;
pub(crate) use file::File;
pub(crate) use pid_ns::{MAX_PID_NS_LEVELS, PidNs};
pub(crate) use pointer::{KernelPtr, field};
pub(crate) use task::Task;
