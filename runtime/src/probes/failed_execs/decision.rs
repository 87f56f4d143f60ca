//! Whether failed execs are recorded, and if not, why.

use crate::probes::options::Hook;

/// Whether and how failed execs are recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FailedExecs {
    /// Off: the flag is not set.
    Off,
    /// On, with this hook.
    On(Hook),
    /// On with this hook, because the kernel refused an earlier hook.
    Fallback(Hook, Unavailable),
    /// Off, because no hook can be used.
    Unavailable(Unavailable),
}

impl FailedExecs {
    /// The text in the first line of the stream; `None` if off.
    pub(crate) fn as_str(&self) -> Option<&'static str> {
        match self {
            Self::Off => None,
            Self::On(hook) | Self::Fallback(hook, _) => Some(hook.as_str()),
            Self::Unavailable(_) => Some("unavailable"),
        }
    }
}

/// Why a hook cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unavailable {
    /// The kernel lacks a helper that the programs need.
    #[error("kernel {0} is too old: Linux 5.11 or later is needed (bpf_get_current_task_btf)")]
    Kernel(String),
    /// The kernel refused a program.
    #[error("the kernel refused the program {program} on {function}: {reason}")]
    Program {
        /// The hook.
        hook: Hook,
        /// The program.
        program: &'static str,
        /// Attach point of the program.
        function: &'static str,
        /// The kernel's answer, in one line.
        reason: String,
    },
    /// A function has no room for another program (`BPF_MAX_TRAMP_LINKS`, include/linux/bpf.h).
    #[error(
        "the kernel takes no more programs on {function} (E2BIG): a function has room for 36 to 40 \
         programs on the whole node, and other sidecars or tools have taken the room"
    )]
    Full {
        /// The function.
        function: &'static str,
    },
    /// The system calls of this architecture are unknown.
    #[error("exectrail does not know the system calls of {0}")]
    Architecture(&'static str),
}

impl Unavailable {
    /// What to try instead; empty where nothing helps.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::Full { .. }
            | Self::Program {
                hook: Hook::Fexit, ..
            } => {
                "--failed-execs=sys-exit needs no such programs, but makes every system call of \
                the node slower"
            }
            Self::Program { .. } | Self::Kernel(_) | Self::Architecture(_) => "",
        }
    }
}
