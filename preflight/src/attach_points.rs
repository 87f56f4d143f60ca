//! What the probes can be attached to in this kernel, by BTF id.
//!
//! A program is attached to the BTF id of a type (`bpf_check_attach_target`, kernel/bpf/verifier.c,
//! Linux 5.5 and later). For a tracepoint, this type is the typedef `btf_trace_NAME`. For a
//! function, it is the function's `BTF_KIND_FUNC`.

use exectrail_common::exec_calls::CALLS;

use crate::btf::kind;

/// Where a program can be attached, by its name in the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttachPoint {
    /// A tracepoint.
    Tracepoint(&'static str),
    /// A function.
    Function(&'static str),
}

/// The functions of the exec system calls, in the order of [`exectrail_common::exec_calls`].
#[cfg(target_arch = "x86_64")]
pub const EXEC_FUNCTIONS: Option<[&str; CALLS]> = Some([
    "__x64_sys_execve",
    "__x64_sys_execveat",
    "__ia32_compat_sys_execve",
    "__ia32_compat_sys_execveat",
]);
/// The functions of the exec system calls, in the order of [`exectrail_common::exec_calls`].
#[cfg(target_arch = "aarch64")]
pub const EXEC_FUNCTIONS: Option<[&str; CALLS]> = Some([
    "__arm64_sys_execve",
    "__arm64_sys_execveat",
    "__arm64_compat_sys_execve",
    "__arm64_compat_sys_execveat",
]);
/// The functions of the exec system calls: unknown for this architecture.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub const EXEC_FUNCTIONS: Option<[&str; CALLS]> = None;

/// Tracepoints that a kernel must have for tracing and for `--exit-events`.
pub const REQUIRED: [&str; 3] = ["sched_process_exec", "sched_process_exit", "task_rename"];

/// The tracepoint by which the end of a workspace is confirmed.
pub const END_CHECK: &str = "oom_score_adj_update";

/// Tracepoints that some features need: confirming ends, and `--failed-execs=sys-exit`.
const OPTIONAL: [&str; 2] = [END_CHECK, "sys_exit"];

/// The wanted attach points that the kernel has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttachPoints(Vec<(AttachPoint, u32)>);

impl AttachPoints {
    /// Records a named type if it is a wanted attach point.
    pub(crate) fn note(&mut self, type_kind: u8, name: &[u8], id: u32) {
        let wanted = |names: &[&'static str], name: &[u8]| {
            let found = names.iter().find(|wanted| wanted.as_bytes() == name);
            found.copied()
        };
        let point = if type_kind == kind::TYPEDEF {
            name.strip_prefix(b"btf_trace_")
                .and_then(|name| wanted(&REQUIRED, name).or_else(|| wanted(&OPTIONAL, name)))
                .map(AttachPoint::Tracepoint)
        } else if type_kind == kind::FUNC {
            EXEC_FUNCTIONS
                .and_then(|functions| wanted(&functions, name))
                .map(AttachPoint::Function)
        } else {
            None
        };
        if let Some(point) = point
            && self.id(point).is_none()
        {
            self.0.push((point, id));
        }
    }

    /// The BTF id of `point`; `None` if the kernel lacks it.
    pub fn id(&self, point: AttachPoint) -> Option<u32> {
        let found = self.0.iter().find(|(known, _)| *known == point);
        found.map(|(_, id)| *id)
    }

    /// All wanted attach points that the kernel has, with their BTF ids.
    pub fn iter(&self) -> impl Iterator<Item = (AttachPoint, u32)> {
        self.0.iter().copied()
    }
}
