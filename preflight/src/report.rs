//! Results of the checks.

use std::fmt::{self, Display};
use std::path::Path;

use exectrail_common::offsets::Offsets;
use serde::Serialize;

use crate::{Field, KernelVersion, attach_points::AttachPoints, offsets::Controllers};

/// Result of a check, or of all checks together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// exectrail has what it needs.
    Ok,
    /// exectrail cannot run in this environment.
    Unmet,
    /// The evidence was not sufficient for a verdict.
    Unknown,
    /// The check does not apply here.
    NotApplicable,
}

impl Verdict {
    /// The name of the verdict in all formats.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unmet => "unmet",
            Self::Unknown => "unknown",
            Self::NotApplicable => "not_applicable",
        }
    }
}

impl Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Name of a check. Names are stable: other programs read them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Id {
    /// The platform: exectrail is not in a sandbox without BPF.
    Platform,
    /// The kernel is 5.8 or later.
    Kernel,
    /// The kernel describes its types, and has the fields that the probes read.
    Btf,
    /// The effective capabilities suffice.
    Capabilities,
    /// The kernel lets this process make the maps and load the programs.
    Bpf,
    /// What kernel lockdown allows.
    Lockdown,
    /// This process is in the init user namespace, and therefore not under sysbox-runc.
    UserNamespace,
    /// Namespaces of this process.
    Scope,
    /// The memory limit has room for the ring buffer, the probes' other maps, and long argv.
    Memory,
    /// The address for announcements can be bound.
    InitAddress,
}

impl Id {
    /// The name of the check in all formats.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Kernel => "kernel",
            Self::Btf => "btf",
            Self::Capabilities => "capabilities",
            Self::Bpf => "bpf",
            Self::Lockdown => "lockdown",
            Self::UserNamespace => "user_namespace",
            Self::Scope => "scope",
            Self::Memory => "memory",
            Self::InitAddress => "init_address",
        }
    }
}

impl Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A value that was read, and its source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// The file, and the part of it, or the system call.
    pub source: String,
    /// The value, or why it could not be read. One line, cut after 400 characters, with control
    /// characters escaped: files can contain anything, and terminals and logs show this text.
    pub value: String,
}

/// Result of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Name of the check.
    pub id: Id,
    /// Its verdict.
    pub verdict: Verdict,
    /// One line for people.
    pub summary: String,
    /// The evidence for the verdict.
    pub evidence: Vec<Evidence>,
    /// One line that a cluster admin can act on. Always present if the verdict is unmet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Check {
    pub(crate) fn new(id: Id, verdict: Verdict, summary: impl Display) -> Self {
        let (evidence, remedy) = (Vec::new(), None);
        Self {
            id,
            verdict,
            summary: clean(&summary.to_string(), 400),
            evidence,
            remedy,
        }
    }

    pub(crate) fn saw(mut self, source: impl Display, value: impl Display) -> Self {
        self.evidence.push(Evidence {
            source: clean(&source.to_string(), 400),
            value: clean(value.to_string().trim(), 400),
        });
        self
    }

    pub(crate) fn saw_in(self, path: &Path, what: &str, value: impl Display) -> Self {
        let gap = if what.is_empty() { "" } else { " " };
        self.saw(format_args!("{}{gap}{what}", path.display()), value)
    }

    pub(crate) fn remedy(mut self, remedy: impl Display) -> Self {
        self.remedy = Some(clean(&remedy.to_string(), 400));
        self
    }
}

/// Text from a file, safe for a terminal. Control characters, and characters that change the
/// direction of writing, are escaped; text longer than `limit` is truncated.
fn clean(text: &str, limit: usize) -> String {
    let mut out = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == limit {
            out.push('…');
            break;
        }
        let unsafe_format = matches!(
            c,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        );
        if c.is_control() || unsafe_format {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// What exectrail needs to know of the running kernel.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// Offsets of the fields that the probes read.
    pub offsets: Offsets,
    /// Indices of the controllers in `css_set.subsys`.
    pub controllers: Controllers,
    /// The tracepoints and functions that the probes can be attached to.
    pub attach_points: AttachPoints,
    /// Whether BPF memory counts against RLIMIT_MEMLOCK (before Linux 5.11).
    pub needs_memlock: bool,
    /// Version of the kernel.
    pub release: KernelVersion,
}

/// Namespaces of this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Inode number of the process's PID namespace.
    pub pid_ns: Option<u32>,
    /// Inode number of the process's network namespace.
    pub net_ns: Option<u32>,
    /// Whether the process's PID namespace is the init one.
    pub init_pid_ns: Option<bool>,
    /// Whether other containers of the pod seem to be in the same PID namespace
    /// (`shareProcessNamespace`): PID 1 is neither this process nor another exectrail. This is a
    /// guess.
    pub shared_pid_ns: Option<bool>,
}

/// Results of all checks.
#[derive(Clone, Debug)]
pub struct Report {
    /// The checks, in the order of reading: causes come before their consequences.
    pub checks: Vec<Check>,
    pub(crate) kernel: Option<Kernel>,
    pub(crate) scope: Scope,
    pub(crate) fields: Vec<Field>,
}

impl Report {
    /// Unmet if any check is unmet; else unknown if any is unknown; else ok.
    pub fn verdict(&self) -> Verdict {
        let any = |verdict| self.checks.iter().any(|check| check.verdict == verdict);
        if any(Verdict::Unmet) {
            Verdict::Unmet
        } else if any(Verdict::Unknown) {
            Verdict::Unknown
        } else {
            Verdict::Ok
        }
    }

    /// The checks with the verdict unmet.
    pub fn unmet(&self) -> impl Iterator<Item = &Check> {
        self.checks
            .iter()
            .filter(|check| check.verdict == Verdict::Unmet)
    }

    /// The check of this name.
    pub fn check(&self, id: Id) -> Option<&Check> {
        self.checks.iter().find(|check| check.id == id)
    }

    /// What exectrail needs to know about the kernel. `None` in these cases:
    /// - The BTF could not be read.
    /// - A field or tracepoint that the probes need is missing.
    /// - The version is unknown.
    pub fn kernel(&self) -> Option<&Kernel> {
        self.kernel.as_ref()
    }

    /// Offsets in the running kernel of the fields that the probes read; empty if its BTF could not
    /// be read.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// Namespaces of this process.
    pub fn scope(&self) -> Scope {
        self.scope
    }
}
