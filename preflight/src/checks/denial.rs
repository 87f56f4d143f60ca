//! Why the kernel denies bpf(2). The kernel gives no reason, so the check names the likeliest
//! cause.

use rustix::io::Errno;

use super::node::{Node, is};
use super::security_label::{Module, SecurityLabel};
use crate::report::{Check, Id, Verdict};

/// Errors with which bpf(2) was denied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Denial {
    /// ENOSYS: the system call does not exist.
    no_call: bool,
    /// EACCES: only the verifier and security modules answer bpf(2) with it. The exception is a
    /// seccomp filter that is set to answer with EACCES.
    access: bool,
    /// EPERM: capabilities, a seccomp filter, or a security module.
    permission: bool,
    /// Another trial was allowed, so the system call exists.
    allowed: bool,
}

impl Denial {
    /// Records an error. Returns whether it is a denial.
    pub(super) fn note(&mut self, error: &std::io::Error) -> bool {
        let (no_call, access) = (is(error, Errno::NOSYS), is(error, Errno::ACCESS));
        let permission = is(error, Errno::PERM);
        self.no_call |= no_call;
        self.access |= access;
        self.permission |= permission;
        no_call || access || permission
    }

    /// Records a success.
    pub(super) fn note_allowed(&mut self) {
        self.allowed = true;
    }

    /// Whether anything was denied.
    pub(super) fn any(self) -> bool {
        self.no_call || self.access || self.permission
    }
}

/// The check of bpf(2) after a denial. The other checks help to explain it.
pub(super) fn check(
    node: &Node<'_>,
    denial: Denial,
    capabilities: &Check,
    user_namespace: &Check,
) -> Check {
    let seccomp = node.status_evidence("Seccomp");
    let filtered = seccomp == "2";
    let label = SecurityLabel::read(node);
    let module = label.confined_by();
    let because = |summary: &str| Check::new(Id::Bpf, Verdict::Unmet, summary);
    let check = match &module {
        _ if denial.no_call && !denial.allowed => no_call(node, filtered),
        Some(Module::SeLinux { domain }) if denial.access => Check::new(
            Id::Bpf,
            Verdict::Unmet,
            format_args!("bpf(2) is denied by SELinux, which confines this container to {domain}"),
        )
        .remedy(selinux_remedy(domain)),
        _ if user_namespace.verdict == Verdict::Unmet => {
            let check = because("bpf(2) is denied, because this is a user namespace");
            user_namespace.remedy.iter().fold(check, Check::remedy)
        }
        _ if capabilities.verdict == Verdict::Unmet => {
            let check = because("bpf(2) is denied, because capabilities are missing");
            capabilities.remedy.iter().fold(check, Check::remedy)
        }
        _ if filtered => {
            let also = match &module {
                Some(Module::SeLinux { .. }) => {
                    "; if it is still denied, set seLinuxOptions: {type: spc_t}"
                }
                _ => "",
            };
            because("bpf(2) is denied, most likely by the seccomp filter").remedy(format_args!(
                "set seccompProfile: {{type: RuntimeDefault}} with containerd 1.7 or later (it \
                 allows bpf with CAP_BPF), or allow bpf in the Localhost profile{also}"
            ))
        }
        Some(Module::SeLinux { domain }) => {
            because("bpf(2) is denied, most likely by SELinux").remedy(selinux_remedy(domain))
        }
        Some(Module::AppArmor) => because("bpf(2) is denied, most likely by the AppArmor profile")
            .remedy(
                "allow capability bpf and capability perfmon in the container's AppArmor profile, \
                 or set appArmorProfile: {type: Unconfined}",
            ),
        Some(Module::Other) => {
            because("bpf(2) is denied, most likely by the security module with this label").remedy(
                "allow bpf(2) in the policy of the node's security module for exectrail's \
                 container",
            )
        }
        None => because("bpf(2) is denied; nothing visible from here explains why").remedy(
            "look for a BPF LSM policy, or for a denial by a security module in the node's audit \
             log",
        ),
    };
    let check = check.saw_in(
        &node.proc("self/status"),
        "Seccomp",
        format_args!("{seccomp} (2 is a filter)"),
    );
    label.shown_in(check, node)
}

/// The system call does not exist, or a seccomp filter answers as if it did not.
fn no_call(node: &Node<'_>, filtered: bool) -> Check {
    let (summary, remedy) = match (node.platform.other_kernel(), filtered) {
        (Some(remedy), _) => ("this kernel does not have bpf(2)", remedy),
        (None, true) => (
            "there is no bpf(2): the kernel lacks it, or the seccomp filter hides it",
            "set seccompProfile: {type: RuntimeDefault} with containerd 1.7 or later, or allow \
             bpf in the Localhost profile; the kernel needs CONFIG_BPF_SYSCALL=y"
                .to_owned(),
        ),
        (None, false) => (
            "this kernel does not have bpf(2)",
            "run on nodes whose kernel is built with CONFIG_BPF_SYSCALL=y".to_owned(),
        ),
    };
    Check::new(Id::Bpf, Verdict::Unmet, summary).remedy(remedy)
}

/// container-selinux allows the class `bpf` only to `spc_t`.
fn selinux_remedy(domain: &str) -> String {
    format!(
        "set seLinuxOptions: {{type: spc_t}} in the securityContext of exectrail's container (the \
         templates: selinux_type), or load a policy module with: allow {domain} self:bpf \
         {{ map_create map_read map_write prog_load prog_run }}; the node's audit log has the \
         denial (ausearch -m avc)"
    )
}
