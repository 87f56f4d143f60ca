//! The names of the keys of an exec's line, and the sets of `--fields`. `output/json/exec.rs`
//! has their order on the line.

use std::{fmt, str::FromStr};

use exectrail_common::probe_config::{
    FIELD_CAP_GAINED, FIELD_CGROUP_NAMES, FIELD_CWD, FIELD_EXE, FIELD_RELATIVE_CWD,
    FIELD_STACK_FILENAME, FIELD_TTY,
};

/// Defines [`Key`]: each key with its name and the smallest set that has it.
macro_rules! keys {
    ($($key:ident $name:literal $set:ident,)+) => {
        /// A key of an exec's line.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub(crate) enum Key {
            $(#[doc = concat!("`", $name, "`")] $key,)+
        }

        impl Key {
            /// All keys.
            pub(crate) const EACH: &[Self] = &[$(Self::$key),+];

            /// The key's name.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$key => $name,)+ }
            }

            /// The key in JSON, with the colon.
            pub(crate) const fn json(self) -> &'static str {
                match self { $(Self::$key => concat!("\"", $name, "\":"),)+ }
            }

            const fn smallest_set(self) -> SetName {
                match self { $(Self::$key => SetName::$set,)+ }
            }
        }
    };
}

/// The sets of `--fields`; each includes the sets before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum SetName {
    Exectrace,
    Default,
    All,
}

keys! {
    Cmdline "cmdline" Exectrace,
    Filename "filename" Exectrace,
    Argv "argv" Exectrace,
    Truncated "truncated" Exectrace,
    Pid "pid" Exectrace,
    Uid "uid" Exectrace,
    Gid "gid" Exectrace,
    Comm "comm" Exectrace,
    Interpreter "interpreter" Default,
    Argc "argc" Default,
    ArgvBytes "argv_bytes" Default,
    Escaped "escaped" Default,
    NsPid "ns_pid" Default,
    Ppid "ppid" Default,
    NsPpid "ns_ppid" Default,
    Euid "euid" Default,
    NsUid "ns_uid" Default,
    NsGid "ns_gid" Default,
    PidNs "pid_ns" Default,
    WorkspacePidNs "workspace_pid_ns" Default,
    MntNs "mnt_ns" Default,
    CgroupId "cgroup_id" Default,
    ContainerId "container_id" Default,
    NestedContainerId "nested_container_id" Default,
    Start "start" Default,
    Cpu "cpu" Default,
    Lane "lane" Default,
    Seq "seq" Default,
    PpidStart "ppid_start" Default,
    Sid "sid" Default,
    Exe "exe" Default,
    Dev "dev" All,
    Ino "ino" All,
    Nlink "nlink" All,
    Cwd "cwd" Default,
    Tty "tty" Default,
    ParentExe "parent_exe" Default,
    ParentArgv "parent_argv" All,
    ExeTruncated "exe_truncated" Default,
    ExeUnreachable "exe_unreachable" Default,
    Memfd "memfd" Default,
    Deleted "deleted" Default,
    UpperLayer "upper_layer" Default,
    CwdTruncated "cwd_truncated" Default,
    CwdUnreachable "cwd_unreachable" Default,
    CwdDeleted "cwd_deleted" Default,
    ParentArgvTruncated "parent_argv_truncated" All,
    CapGained "cap_gained" Default,
    Egid "egid" Default,
    NoNewPrivs "no_new_privs" Default,
    Entered "entered" Default,
    FilenameTruncated "filename_truncated" Default,
    ArgvUnprotectedFrom "argv_unprotected_from" Default,
    Tampered "tampered" Default,
    StackFilename "stack_filename" All,
    Redacted "redacted" Default,
    ArgvContinues "argv_continues" Default,
    Cut "cut" Default,
    Run "run" Default,
}

/// No key has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is no key that can be left out; these keys can: {}", names())]
pub(crate) struct UnknownKey {
    name: String,
}

/// The names of all keys.
fn names() -> String {
    let names: Vec<_> = Key::EACH.iter().map(|key| key.name()).collect();
    names.join(", ")
}

impl FromStr for Key {
    type Err = UnknownKey;

    fn from_str(name: &str) -> Result<Self, UnknownKey> {
        let key = Self::EACH.iter().find(|key| key.name() == name);
        key.copied().ok_or_else(|| UnknownKey {
            name: name.chars().take(64).collect(),
        })
    }
}

/// A named set of keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Fields {
    /// The keys of exectrace, byte for byte as exectrace prints them
    Exectrace,
    /// Who executed what, and from where
    #[default]
    Default,
    /// Every key
    All,
}

/// A set of keys.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeySet {
    keys: u64,
    /// Whether the working directory is wanted for absolute filenames, too.
    every_cwd: bool,
}

const _: () = assert!(Key::EACH.len() <= u64::BITS as usize);

impl KeySet {
    /// The set of that name.
    pub(crate) fn of(fields: Fields) -> Self {
        let size = match fields {
            Fields::Exectrace => SetName::Exectrace,
            Fields::Default => SetName::Default,
            Fields::All => SetName::All,
        };
        let keys = Key::EACH.iter().filter(|key| key.smallest_set() <= size);
        Self {
            keys: keys.fold(0, |keys, key| keys | bit(*key)),
            every_cwd: fields == Fields::All,
        }
    }

    /// This set without `key`.
    #[must_use]
    pub(crate) fn without(mut self, key: Key) -> Self {
        self.keys &= !bit(key);
        self
    }

    /// Whether `key` is in the set.
    #[inline]
    pub(crate) fn has(self, key: Key) -> bool {
        self.keys & bit(key) != 0
    }

    /// Whether any of `keys` is in the set.
    pub(crate) fn has_any(self, keys: &[Key]) -> bool {
        keys.iter().any(|key| self.has(*key))
    }

    /// The fields that the probes read for these keys: a set of `FIELD_…` constants
    /// ([`exectrail_common::probe_config`]).
    pub(crate) fn probe_fields(self) -> u32 {
        use Key::{
            CapGained, ContainerId, Cwd, CwdDeleted, CwdTruncated, CwdUnreachable, Deleted, Dev,
            Exe, ExeTruncated, ExeUnreachable, Ino, Memfd, NestedContainerId, Nlink, ParentExe,
            StackFilename, Tty, UpperLayer,
        };
        let exe = [
            Exe,
            ExeTruncated,
            ExeUnreachable,
            Memfd,
            Deleted,
            UpperLayer,
            Dev,
            Ino,
            Nlink,
            ParentExe,
        ];
        let cwd = [Cwd, CwdTruncated, CwdUnreachable, CwdDeleted];
        let mut fields = 0;
        for (keys, field) in [
            (&exe[..], FIELD_EXE),
            (
                &cwd[..],
                if self.every_cwd {
                    FIELD_CWD
                } else {
                    FIELD_RELATIVE_CWD
                },
            ),
            (&[Tty], FIELD_TTY),
            (&[CapGained], FIELD_CAP_GAINED),
            (&[ContainerId, NestedContainerId], FIELD_CGROUP_NAMES),
            (&[StackFilename], FIELD_STACK_FILENAME),
        ] {
            if self.has_any(keys) {
                fields |= field;
            }
        }
        fields
    }
}

impl Default for KeySet {
    fn default() -> Self {
        Self::of(Fields::Default)
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = Key::EACH.iter().filter(|key| self.has(**key));
        f.debug_set().entries(keys.map(|key| key.name())).finish()
    }
}

fn bit(key: Key) -> u64 {
    1 << key as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_set_has_the_one_before_it() {
        let [exectrace, default, all] =
            [Fields::Exectrace, Fields::Default, Fields::All].map(KeySet::of);
        assert_eq!(exectrace.keys & default.keys, exectrace.keys);
        assert_eq!(default.keys & all.keys, default.keys);
        assert_eq!(all.keys.count_ones() as usize, Key::EACH.len());
    }

    #[test]
    fn what_is_omitted_is_not_read() {
        assert_eq!(KeySet::of(Fields::Exectrace).probe_fields(), 0);
        let default = KeySet::default().probe_fields();
        assert_eq!(
            default,
            FIELD_EXE | FIELD_RELATIVE_CWD | FIELD_TTY | FIELD_CAP_GAINED | FIELD_CGROUP_NAMES
        );
        assert_eq!(
            KeySet::default().without(Key::Tty).probe_fields(),
            default & !FIELD_TTY
        );
        let all = KeySet::of(Fields::All).probe_fields();
        assert_eq!(
            all,
            default & !FIELD_RELATIVE_CWD | FIELD_CWD | FIELD_STACK_FILENAME
        );
    }

    #[test]
    fn a_name_is_read_back() {
        for key in Key::EACH {
            assert_eq!(key.name().parse(), Ok(*key));
        }
        let error = "msg".parse::<Key>().unwrap_err().to_string();
        assert!(
            error.contains("\"msg\"") && error.contains("cmdline"),
            "{error}"
        );
    }
}
