//! All programs of the object, and how a program at a tracepoint is loaded.

use aya::{
    Btf, Ebpf,
    programs::{BtfTracePoint, ProgramError, ProgramFd, tp_btf::BtfTracePointLinkId},
};
use exectrail_common::{counters::LANES, exec_calls::CALLS};
use exectrail_preflight::attach_points;

use super::error::AttachError;

/// A program at a tracepoint.
#[derive(Clone, Copy, Debug)]
pub(super) struct Program {
    /// Name of the program in the object.
    pub(super) name: &'static str,
    /// The tracepoint.
    pub(super) tracepoint: &'static str,
}

/// The programs that record execs, by lane.
pub(super) const EXEC: [Program; LANES as usize] =
    at("sched_process_exec", ["exec", "exec_second", "exec_third"]);
/// The programs that record exits, by lane.
pub(super) const EXIT: [Program; LANES as usize] =
    at("sched_process_exit", ["exit", "exit_second", "exit_third"]);
/// The programs that save comms and argv, by lane. A line is flagged if these programs did not save
/// its comm or argv, so fewer copies are enough.
pub(super) const RENAME: [Program; 2] = at("task_rename", ["rename", "rename_second"]);
/// The program that looks at the sidecar itself, once.
pub(super) const SIDECAR_SCOPE: Program = Program {
    name: "sidecar_scope",
    tracepoint: "task_rename",
};
/// The program that confirms the end of a namespace.
pub(super) const END_CHECK: Program = Program {
    name: "end_check",
    tracepoint: attach_points::END_CHECK,
};
/// The program that records failed execs at the exit of every system call.
pub(super) const FAILED_ANY: Program = Program {
    name: "failed_any",
    tracepoint: "sys_exit",
};
/// The programs that record failed execs at the exits of the kernel's functions, by call.
pub(super) const FAILED: [&str; CALLS] = [
    "failed_execve",
    "failed_execveat",
    "failed_compat_execve",
    "failed_compat_execveat",
];

/// The programs of one tracepoint.
const fn at<const N: usize>(tracepoint: &'static str, names: [&'static str; N]) -> [Program; N] {
    let mut programs = [Program {
        name: "",
        tracepoint,
    }; N];
    let mut index = 0;
    while index < N {
        programs[index].name = names[index];
        index += 1;
    }
    programs
}

impl Program {
    /// The program in the object.
    pub(super) fn of(self, ebpf: &mut Ebpf) -> Result<&mut BtfTracePoint, AttachError> {
        ebpf.program_mut(self.name)
            .and_then(|program| program.try_into().ok())
            .ok_or(AttachError::Missing(self.name))
    }

    /// Loads and attaches the program.
    pub(super) fn attach(
        self,
        ebpf: &mut Ebpf,
        btf: &Btf,
    ) -> Result<BtfTracePointLinkId, AttachError> {
        let program = self.of(ebpf)?;
        program
            .load(self.tracepoint, btf)
            .and_then(|()| program.attach())
            .map_err(|source| self.refused(source))
    }

    /// The descriptor of the loaded program.
    pub(super) fn fd(self, ebpf: &Ebpf) -> Result<&ProgramFd, AttachError> {
        let program: &BtfTracePoint = ebpf
            .program(self.name)
            .and_then(|program| program.try_into().ok())
            .ok_or(AttachError::Missing(self.name))?;
        program.fd().map_err(|source| self.refused(source))
    }

    /// The error for a refusal of the kernel.
    pub(super) fn refused(self, source: ProgramError) -> AttachError {
        AttachError::Program {
            program: self.name,
            tracepoint: self.tracepoint,
            source: Box::new(source),
        }
    }
}
