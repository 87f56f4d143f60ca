//! Attaches the programs that record failed execs, or finds out why the kernel refuses them.

use aya::{
    Btf, BtfError, Ebpf,
    programs::{BtfTracePoint, FExit, Program, ProgramError, ProgramFd},
};
use exectrail_common::exec_calls::ExecCalls;
use exectrail_preflight::{KernelVersion, attach_points::EXEC_FUNCTIONS, verifier_reason};
use rustix::io::Errno;

use super::decision::{FailedExecs, Unavailable};
use crate::probes::{
    error::chain,
    options::Hook,
    programs::{FAILED, FAILED_ANY},
};

/// The oldest kernel on which failed execs can be recorded: their programs need the helper
/// `bpf_get_current_task_btf`.
const OLDEST: KernelVersion = KernelVersion::new(5, 11, 0);

/// The positions of the calls' arguments on this architecture.
#[cfg(target_arch = "aarch64")]
const HERE: ExecCalls = ExecCalls::AARCH64;
/// The positions of the calls' arguments on this architecture; on unknown architectures nothing is
/// attached.
#[cfg(not(target_arch = "aarch64"))]
const HERE: ExecCalls = ExecCalls::X86_64;

/// The positions of the calls' arguments, for the configuration of the probes.
pub(in crate::probes) fn exec_calls() -> ExecCalls {
    HERE
}

/// Attaches the programs of the first of `hooks` that the kernel allows. Returns the hook and the
/// descriptors of its programs.
pub(in crate::probes) fn attach(
    ebpf: &mut Ebpf,
    btf: &Btf,
    release: &KernelVersion,
    hooks: &[Hook],
) -> (FailedExecs, Option<(Hook, Vec<ProgramFd>)>) {
    let mut refused = None;
    for hook in hooks {
        match attach_hook(ebpf, btf, release, *hook) {
            Ok(fds) => {
                let failed_execs = match refused {
                    None => FailedExecs::On(*hook),
                    Some(why) => FailedExecs::Fallback(*hook, why),
                };
                return (failed_execs, Some((*hook, fds)));
            }
            Err(why) => refused = Some(why),
        }
    }
    let failed_execs = refused.map_or(FailedExecs::Off, FailedExecs::Unavailable);
    (failed_execs, None)
}

/// Attaches each program of `hook`. Functions for 32-bit programs may be missing. After any other
/// error, no program stays attached.
fn attach_hook(
    ebpf: &mut Ebpf,
    btf: &Btf,
    release: &KernelVersion,
    hook: Hook,
) -> Result<Vec<ProgramFd>, Unavailable> {
    let functions = EXEC_FUNCTIONS.ok_or(Unavailable::Architecture(std::env::consts::ARCH))?;
    if *release < OLDEST {
        return Err(Unavailable::Kernel(release.to_string()));
    }
    if hook == Hook::SysExit {
        let attached = attach_sys_exit(ebpf, btf);
        if attached.is_err() {
            unload(ebpf, FAILED_ANY.name);
        }
        return Ok(vec![attached?]);
    }
    let mut attached = Vec::new();
    for (program, function) in FAILED.into_iter().zip(functions) {
        match attach_fexit(ebpf, btf, program, function) {
            Ok(fd) => attached.push(fd),
            // A kernel that runs no 32-bit programs has no functions for them.
            Err(ProgramError::Btf(BtfError::UnknownBtfTypeName { .. }))
                if program.contains("compat") => {}
            Err(error) => {
                for program in FAILED {
                    unload(ebpf, program);
                }
                if is_full(&error) {
                    return Err(Unavailable::Full { function });
                }
                return Err(Unavailable::Program {
                    hook,
                    program,
                    function,
                    reason: one_line(&error),
                });
            }
        }
    }
    Ok(attached)
}

fn attach_fexit(
    ebpf: &mut Ebpf,
    btf: &Btf,
    program: &'static str,
    function: &'static str,
) -> Result<ProgramFd, ProgramError> {
    let program: &mut FExit = ebpf
        .program_mut(program)
        .ok_or(ProgramError::NotLoaded)?
        .try_into()?;
    program.load(function, btf)?;
    program.attach()?;
    Ok(program.fd()?.try_clone()?)
}

fn attach_sys_exit(ebpf: &mut Ebpf, btf: &Btf) -> Result<ProgramFd, Unavailable> {
    let mut attach = || {
        let program: &mut BtfTracePoint = ebpf
            .program_mut(FAILED_ANY.name)
            .ok_or(ProgramError::NotLoaded)?
            .try_into()?;
        program.load(FAILED_ANY.tracepoint, btf)?;
        program.attach()?;
        Ok(program.fd()?.try_clone()?)
    };
    attach().map_err(|error: ProgramError| Unavailable::Program {
        hook: Hook::SysExit,
        program: FAILED_ANY.name,
        function: FAILED_ANY.tracepoint,
        reason: one_line(&error),
    })
}

/// Whether the attach point had no room for a program.
fn is_full(error: &ProgramError) -> bool {
    matches!(error, ProgramError::SyscallError(error)
        if error.io_error.raw_os_error() == Some(Errno::TOOBIG.raw_os_error()))
}

/// Detaches and unloads a program; one that was never loaded stays as it is.
fn unload(ebpf: &mut Ebpf, program: &'static str) {
    let _ = match ebpf.program_mut(program) {
        Some(Program::FExit(program)) => program.unload(),
        Some(Program::BtfTracePoint(program)) => program.unload(),
        _ => Ok(()),
    };
}

/// The kernel's answer, in one line.
fn one_line(error: &ProgramError) -> String {
    let ProgramError::LoadError {
        io_error,
        verifier_log,
    } = error
    else {
        return chain(error).replace('\n', " ");
    };
    match verifier_reason(&verifier_log.to_string()) {
        "" => io_error.to_string(),
        reason => format!("{io_error} ({reason})"),
    }
}
