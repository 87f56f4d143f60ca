//! Optional keys about a process, in the lines of execs and failed execs.

use exectrail_common::record::{FLAG_NO_NEW_PRIVS, Subject};

/// The keys, from the fixed part of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub(super) struct Notes {
    /// The effective group id, if it differs from the real one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub egid: Option<u32>,
    /// Whether the process has `no_new_privs`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub no_new_privs: bool,
    /// Whether the parent is outside the PID namespace, and the process is not the namespace's
    /// first. A program outside put such a process there, for example `kubectl exec` or nsenter(1).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub entered: bool,
}

impl Notes {
    /// The keys for `subject`; `flags` are the flags of its record.
    pub(super) fn of(subject: &Subject, flags: u16) -> Self {
        Self {
            egid: (subject.egid != subject.gid).then_some(subject.egid),
            no_new_privs: flags & FLAG_NO_NEW_PRIVS != 0,
            entered: subject.ns_ppid == 0 && subject.ns_tgid > 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_there_where_they_say_something() {
        let ordinary = Subject {
            ns_tgid: 7,
            ns_ppid: 1,
            gid: 1000,
            egid: 1000,
            ..Subject::default()
        };
        let none = Notes {
            egid: None,
            no_new_privs: false,
            entered: false,
        };
        assert_eq!(Notes::of(&ordinary, 0), none);
        let entered = Subject {
            ns_ppid: 0,
            egid: 0,
            ..ordinary
        };
        let all = Notes {
            egid: Some(0),
            no_new_privs: true,
            entered: true,
        };
        assert_eq!(Notes::of(&entered, FLAG_NO_NEW_PRIVS), all);
        let first = Subject {
            ns_tgid: 1,
            ..entered
        };
        assert!(!Notes::of(&first, 0).entered);
    }
}
