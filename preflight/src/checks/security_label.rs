//! The label that a security module has given this process, and whether the module confines it.
//!
//! `/proc/self/attr/current` has the label of the module that the kernel lists first. The form of
//! the label shows which module that is: `user:role:type` or `user:role:type:level` is SELinux; a
//! profile with its mode in parentheses, or `unconfined`, is AppArmor.

use std::path::PathBuf;

use super::node::Node;
use crate::files;
use crate::report::Check;

/// SELinux types to which SELinux allows all that the capabilities allow: those of processes of the
/// node, and of containers configured like them.
const UNCONFINED_TYPES: [&str; 3] = ["spc_t", "kernel_t", "super_t"];

/// AppArmor's label of a process without a profile.
const UNCONFINED: &str = "unconfined";

/// The security module of a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Module {
    /// SELinux, with the type of the label.
    SeLinux { domain: String },
    /// AppArmor.
    AppArmor,
    /// Another module, such as Smack.
    Other,
}

/// The label, as far as it could be read.
pub(super) struct SecurityLabel {
    /// Path and text of the label.
    label: Option<(PathBuf, String)>,
    /// Path and text of `<sys>/fs/selinux/enforce`, which says whether SELinux forbids or only
    /// reports.
    enforce: (PathBuf, Option<String>),
}

impl SecurityLabel {
    pub(super) fn read(node: &Node<'_>) -> Self {
        let label = ["self/attr/current", "self/attr/apparmor/current"]
            .into_iter()
            .find_map(|path| {
                let path = node.proc(path);
                let text = files::read_text(&path).ok()?;
                let label = text.trim_matches(['\0', '\n', ' ']).to_owned();
                (!label.is_empty()).then_some((path, label))
            });
        let enforce = node.sys("fs/selinux/enforce");
        let mode = files::read_text(&enforce).ok();
        Self {
            label,
            enforce: (enforce, mode.map(|mode| mode.trim().to_owned())),
        }
    }

    /// The module that confines this process, if any.
    pub(super) fn confined_by(&self) -> Option<Module> {
        let (_, label) = self.label.as_ref()?;
        let module = module_of(label);
        let confines = match &module {
            Module::SeLinux { domain } => {
                let free = UNCONFINED_TYPES.contains(&domain.as_str())
                    || domain.starts_with("unconfined_");
                !free && self.enforce.1.as_deref() != Some("0")
            }
            Module::AppArmor => {
                label != UNCONFINED
                    && !label.ends_with("(complain)")
                    && !label.ends_with("(unconfined)")
            }
            // `kernel` is SELinux's label before a policy is loaded.
            Module::Other => label != "kernel",
        };
        confines.then_some(module)
    }

    /// Adds the label to a check as evidence.
    pub(super) fn shown_in(&self, check: Check, node: &Node<'_>) -> Check {
        let check = match &self.label {
            Some((path, label)) => check.saw_in(path, "", label),
            None => check.saw_in(&node.proc("self/attr/current"), "", "no label to be read"),
        };
        match &self.enforce {
            (path, Some(mode)) => check.saw_in(path, "", mode),
            _ => check,
        }
    }
}

/// The module, from the form of the label.
fn module_of(label: &str) -> Module {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let is_name = |part: &&str| !part.is_empty() && part.chars().all(plain);
    let mut parts = label.splitn(4, ':');
    let (user, role, domain) = (parts.next(), parts.next(), parts.next());
    let level = parts.next().unwrap_or_default();
    match (
        user.filter(is_name),
        role.filter(is_name),
        domain.filter(is_name),
    ) {
        (Some(_), Some(_), Some(domain)) if !level.contains([' ', '(']) => Module::SeLinux {
            domain: domain.to_owned(),
        },
        _ if label == UNCONFINED || label.ends_with(')') => Module::AppArmor,
        _ => Module::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(text: &str, enforce: Option<&str>) -> SecurityLabel {
        SecurityLabel {
            label: Some(("current".into(), text.to_owned())),
            enforce: ("enforce".into(), enforce.map(str::to_owned)),
        }
    }

    #[test]
    fn labels_of_selinux_and_of_apparmor_are_told_apart() {
        let domain = |text| match module_of(text) {
            Module::SeLinux { domain } => Some(domain),
            Module::AppArmor | Module::Other => None,
        };
        for (text, expected) in [
            (
                "system_u:system_r:container_t:s0:c5,c1023",
                Some("container_t"),
            ),
            (
                "system_u:system_r:container_t:s0-s0:c0.c1023",
                Some("container_t"),
            ),
            ("system_u:system_r:container_t", Some("container_t")),
            ("cri-containerd.apparmor.d (enforce)", None),
            ("a:b:c (enforce)", None),
            ("a:b:c:d (enforce)", None),
            (":ns://profile (enforce)", None),
            ("docker-default (enforce)", None),
            ("unconfined", None),
            ("kernel", None),
            ("a:b", None),
            ("::", None),
        ] {
            assert_eq!(domain(text).as_deref(), expected, "{text}");
        }
        for (text, expected) in [
            ("unconfined", Module::AppArmor),
            ("a:b:c (enforce)", Module::AppArmor),
            ("a//&b (complain)", Module::AppArmor),
            ("kernel", Module::Other),
            ("_", Module::Other),
            ("User::App::Shared", Module::Other),
        ] {
            assert_eq!(module_of(text), expected, "{text}");
        }
    }

    #[test]
    fn what_confines_nothing_is_not_blamed() {
        let selinux = "system_u:system_r:container_t:s0";
        for (text, enforce, confines) in [
            (selinux, None, true),
            (selinux, Some("1"), true),
            (selinux, Some("0"), false),
            ("system_u:system_r:spc_t:s0", None, false),
            ("system_u:system_r:kernel_t:s0", None, false),
            (
                "unconfined_u:unconfined_r:unconfined_t:s0-s0:c0.c1023",
                None,
                false,
            ),
            ("system_u:system_r:unconfined_service_t:s0", None, false),
            ("kernel", None, false),
            ("unconfined", None, false),
            ("docker-default (enforce)", None, true),
            ("docker-default (complain)", None, false),
            ("_", None, true),
            ("crun (unconfined)", None, false),
        ] {
            let found = label(text, enforce).confined_by();
            assert_eq!(found.is_some(), confines, "{text}");
        }
    }
}
