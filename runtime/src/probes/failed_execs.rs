//! The programs that record failed execs: where they are attached, and the fallback if that fails.

use aya::{
    Btf, BtfError, Ebpf,
    maps::{MapData, MapError, PerCpuArray},
    programs::{BtfTracePoint, FExit, ProgramError, ProgramFd},
};
use bytemuck::cast;
use exectrail_common::{
    exec_calls::{self, CALLS, ExecCalls},
    record::FailedStats,
};
use exectrail_preflight::{KernelVersion, attach_points::EXEC_FUNCTIONS, verifier_reason};

use rustix::io::Errno;

use super::{AttachError, error::chain, take};
use crate::counters::skipped;

/// The hook that records failed execs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// At the exits of the exec functions (`fexit`): no other system call becomes slower.
    Fexit,
    /// At the exit of every system call (`tp_btf/sys_exit`). Works on kernels that refuse `fexit`.
    /// Every failing system call on the node becomes slower, every other one a little.
    SysExit,
}

impl Hook {
    /// As in flags and lines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fexit => "fexit",
            Self::SysExit => "sys-exit",
        }
    }
}

/// Whether and how failed execs are recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FailedExecs {
    /// Off: the flag is not set.
    Off,
    /// On, with this hook.
    On(Hook),
    /// On with this hook, as the kernel refused an earlier one.
    Fallback(Hook, Unavailable),
    /// Off, as the kernel refused all hooks.
    Unavailable(Unavailable),
}

impl FailedExecs {
    /// As in the first line of the stream; `None` if off.
    pub fn as_str(&self) -> Option<&'static str> {
        match self {
            Self::Off => None,
            Self::On(hook) | Self::Fallback(hook, _) => Some(hook.as_str()),
            Self::Unavailable(_) => Some("unavailable"),
        }
    }
}

/// Why failed execs cannot be recorded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// The kernel lacks a helper that the programs need.
    #[error(
        "kernel {0} is too old: it takes Linux 5.11 or later, which tells a program its task \
         (bpf_get_current_task_btf)"
    )]
    Kernel(String),
    /// The kernel refused a program.
    #[error("the kernel refused the program {program} on {function}: {reason}")]
    Program {
        /// The hook.
        hook: Hook,
        /// The program.
        program: &'static str,
        /// Its attach point.
        function: &'static str,
        /// The kernel's answer, in one line.
        reason: String,
    },
    /// Other programs use all places at a function (`BPF_MAX_TRAMP_LINKS`, include/linux/bpf.h).
    #[error(
        "the kernel takes no more programs on {function} (E2BIG): it has room for 36 to 40 on the \
         whole node, and other sidecars or tools have taken them"
    )]
    Full {
        /// The function.
        function: &'static str,
    },
    /// The system calls of this architecture are unknown.
    #[error("exectrail does not know how {0} calls")]
    Architecture(&'static str),
}

impl Unavailable {
    /// What to try instead; empty where nothing helps.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Full { .. }
            | Self::Program {
                hook: Hook::Fexit, ..
            } => {
                "--failed-execs=sys-exit does without such programs, at a cost to every system call \
                 of the node"
            }
            Self::Program { .. } | Self::Kernel(_) | Self::Architecture(_) => "",
        }
    }
}

/// `bpf_get_current_task_btf` came with Linux 5.11.
const OLDEST: KernelVersion = KernelVersion::new(5, 11, 0);

/// How this architecture enters the calls.
#[cfg(target_arch = "aarch64")]
const HERE: ExecCalls = ExecCalls::AARCH64;
/// How this architecture enters the calls; on unknown architectures nothing is attached.
#[cfg(not(target_arch = "aarch64"))]
const HERE: ExecCalls = ExecCalls::X86_64;

/// The programs at the exits, by call.
const PROGRAMS: [&str; CALLS] = [
    "failed_execve",
    "failed_execveat",
    "failed_compat_execve",
    "failed_compat_execveat",
];

/// The configuration of the calls for the probes.
pub(super) fn exec_calls() -> ExecCalls {
    HERE
}

/// Attaches the programs of the first of `hooks` that the kernel allows. Returns the hook and the
/// descriptors of its programs.
pub(super) fn attach(
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

/// Attaches all programs of `hook`, or none.
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
        return Ok(vec![attach_sys_exit(ebpf, btf)?]);
    }
    let mut attached = Vec::new();
    for (program, function) in PROGRAMS.into_iter().zip(functions) {
        match attach_fexit(ebpf, btf, program, function) {
            Ok(fd) => attached.push(fd),
            // A kernel that runs no 32-bit programs has no functions for them.
            Err(ProgramError::Btf(BtfError::UnknownBtfTypeName { .. }))
                if program.contains("compat") => {}
            Err(error) => {
                for program in PROGRAMS {
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
    let (name, tracepoint) = ("failed_any", "sys_exit");
    let mut attach = || {
        let program: &mut BtfTracePoint = ebpf
            .program_mut(name)
            .ok_or(ProgramError::NotLoaded)?
            .try_into()?;
        program.load(tracepoint, btf)?;
        program.attach()?;
        Ok(program.fd()?.try_clone()?)
    };
    attach().map_err(|error: ProgramError| Unavailable::Program {
        hook: Hook::SysExit,
        program: name,
        function: tracepoint,
        reason: one_line(&error),
    })
}

/// Whether the attach point had no room for a program.
fn is_full(error: &ProgramError) -> bool {
    matches!(error, ProgramError::SyscallError(error)
        if error.io_error.raw_os_error() == Some(Errno::TOOBIG.raw_os_error()))
}

/// Undoes [`attach_fexit`]; a program that was never loaded needs nothing.
fn unload(ebpf: &mut Ebpf, program: &'static str) {
    if let Some(program) = ebpf.program_mut(program)
        && let Ok(program) = TryInto::<&mut FExit>::try_into(program)
    {
        let _ = program.unload();
    }
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

/// Counts of one call's program.
#[derive(Clone, Debug)]
pub struct CallCounts {
    /// Index in [`exec_calls`].
    pub call: usize,
    /// By CPU number.
    pub cpus: Vec<FailedStats>,
}

/// [`FailedStats`] as words, the value type of the map.
const WORDS: usize = size_of::<FailedStats>() / 8;

/// The kernel's counts of failed execs.
pub(crate) struct Counters {
    stats: PerCpuArray<MapData, [u64; WORDS]>,
    hook: Hook,
    programs: Vec<ProgramFd>,
    /// Execs of the node that were counted before the programs were attached.
    execs_before: u64,
}

impl Counters {
    pub(super) fn new(
        ebpf: &mut Ebpf,
        hook: Hook,
        programs: Vec<ProgramFd>,
        execs_before: u64,
    ) -> Result<Self, AttachError> {
        Ok(Self {
            stats: take(ebpf, "FAILED_STATS")?,
            hook,
            programs,
            execs_before,
        })
    }

    /// The counts, by call.
    pub(crate) fn calls(&self) -> Result<Vec<CallCounts>, MapError> {
        (0..CALLS)
            .map(|call| {
                let words = self.stats.get(&(call as u32), 0)?;
                Ok(CallCounts {
                    call,
                    cpus: words.iter().map(|words| cast(*words)).collect(),
                })
            })
            .collect()
    }

    /// Number of times that the kernel skipped one of the programs, for failed or successful execs.
    ///
    /// `None` with `tp_btf/sys_exit`: the kernel skips its program for any system call, and does
    /// not count by call.
    pub(crate) fn skipped(&self) -> Option<u64> {
        match self.hook {
            Hook::Fexit => self.programs.iter().map(skipped).sum(),
            Hook::SysExit => None,
        }
    }

    /// How many of the `skipped` runs were for execs that failed.
    ///
    /// The others were for execs that succeeded: those of the node's `execs` that no program has
    /// seen, by the counts of `calls`.
    pub(crate) fn missed(&self, skipped: u64, calls: &[CallCounts], execs: u64) -> u64 {
        let stats = calls.iter().flat_map(|call| &call.cpus);
        let succeeded: u64 = stats.map(|stats| stats.succeeded).sum();
        let seen = self.execs_before.saturating_add(succeeded);
        skipped.saturating_sub(execs.saturating_sub(seen))
    }
}

/// The name of a call, by its index in [`exec_calls`].
pub fn call_name(call: u32) -> &'static str {
    match call as usize {
        exec_calls::EXECVE => "execve",
        exec_calls::EXECVEAT => "execveat",
        exec_calls::COMPAT_EXECVE => "compat_execve",
        exec_calls::COMPAT_EXECVEAT => "compat_execveat",
        _ => "unknown",
    }
}
