//! The kernel lets this process make the maps and load the programs.

use std::io;

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, setrlimit};

use super::Node;
use crate::bpf::{Map, Program, Refused, make_map};
use crate::files;
use crate::report::{Check, Id, Verdict};

/// Also returns whether a program may call `bpf_probe_read_kernel`, where it could be tried.
/// `tracepoint` is the BTF id of `sched_process_exec`. The other checks help to say why not.
pub(super) fn check(
    node: &Node<'_>,
    tracepoint: Option<u32>,
    capabilities: &Check,
    user_namespace: &Check,
) -> (Check, Option<bool>) {
    if !node.live {
        let summary = "not tried: the files are not those of the running kernel";
        return (Check::new(Id::Bpf, Verdict::NotApplicable, summary), None);
    }
    if node.needs_memlock() {
        // Refused without CAP_SYS_RESOURCE; the capabilities check tells that.
        let unlimited = Rlimit {
            current: None,
            maximum: None,
        };
        let _ = setrlimit(Resource::Memlock, unlimited);
    }
    let mut trial = Trial {
        verdict: Verdict::Ok,
        denied: false,
        evidence: Vec::new(),
    };
    let mut ring = None;
    for map in Map::ALL {
        let made = make_map(map);
        trial.map(map, made.as_ref().err());
        ring = made.ok().filter(|_| map == Map::RingBuf);
    }

    let program = tracepoint.map_or(Program::RawTracepoint, Program::TpBtf);
    let loaded = program.load();
    trial.program(program, "", loaded.as_ref().err());
    let mut read_kernel = None;
    if loaded.is_ok() {
        if let Some(ring) = &ring {
            let loaded = program.load_with_helpers(ring);
            trial.program(program, " with all helpers", loaded.as_ref().err());
        }
        read_kernel = match program.load_with_read_kernel() {
            Ok(()) => Some(true),
            Err(refused) if refused.lacks_helper() => Some(false),
            Err(_) => None,
        };
    }
    // Without BTF the type of program that matters could not be tried.
    if tracepoint.is_none() && trial.verdict == Verdict::Ok {
        trial.verdict = Verdict::Unknown;
    }
    (
        trial.into_check(node, capabilities, user_namespace),
        read_kernel,
    )
}

/// What the trials showed so far.
struct Trial {
    verdict: Verdict,
    /// Whether something was refused by permission rather than by ability.
    denied: bool,
    evidence: Vec<(String, String)>,
}

impl Trial {
    fn map(&mut self, map: Map, error: Option<&io::Error>) {
        let unmet = error.is_some_and(|error| {
            // EINVAL: the kernel does not know the kind of map. What is asked for is the least
            // that any kernel takes.
            self.is_denied(error) || is(error, Errno::INVAL)
        });
        self.note(
            format!("bpf(2) map {}", map.name()),
            error.map(ToString::to_string),
            unmet,
        );
    }

    fn program(&mut self, program: Program, what: &str, refused: Option<&Refused>) {
        let unmet = refused.is_some_and(|refused| {
            // With a log it is the verifier that spoke: no matter of permission.
            let silent = refused.log.is_empty();
            // E2BIG: the kernel is too old to know of attachment by BTF id (before 5.5).
            silent && (self.is_denied(&refused.error) || is(&refused.error, Errno::TOOBIG))
                || refused.lacks_helper()
        });
        let source = format!("bpf(2) program {}{what}", program.name());
        self.note(source, refused.map(ToString::to_string), unmet);
    }

    fn is_denied(&mut self, error: &io::Error) -> bool {
        let denied = is(error, Errno::PERM) || is(error, Errno::ACCESS) || is(error, Errno::NOSYS);
        self.denied |= denied;
        denied
    }

    fn note(&mut self, source: String, error: Option<String>, unmet: bool) {
        match (&error, unmet) {
            (None, _) => {}
            (Some(_), true) => self.verdict = Verdict::Unmet,
            (Some(_), false) if self.verdict == Verdict::Ok => self.verdict = Verdict::Unknown,
            (Some(_), false) => {}
        }
        self.evidence
            .push((source, error.unwrap_or_else(|| "allowed".to_owned())));
    }

    fn into_check(self, node: &Node<'_>, capabilities: &Check, user_namespace: &Check) -> Check {
        let mut check = match self.verdict {
            Verdict::Ok => Check::new(
                Id::Bpf,
                Verdict::Ok,
                "the maps and programs of the tracer are allowed",
            ),
            Verdict::Unmet if self.denied => why_denied(node, capabilities, user_namespace),
            Verdict::Unmet => Check::new(
                Id::Bpf,
                Verdict::Unmet,
                "the kernel lacks a part of BPF that is needed",
            )
            .remedy("run on nodes with Linux 5.8 or later and CONFIG_BPF_EVENTS=y"),
            _ => Check::new(
                Id::Bpf,
                Verdict::Unknown,
                "not all that the tracer does with BPF could be tried",
            )
            .remedy("see the evidence; the tracer's own start gives the full reason"),
        };
        for (source, value) in self.evidence {
            check = check.saw(source, value);
        }
        check
    }
}

fn is(error: &io::Error, errno: Errno) -> bool {
    error.raw_os_error() == Some(errno.raw_os_error())
}

/// Names the likeliest of those that can refuse bpf(2). The kernel does not tell.
fn why_denied(node: &Node<'_>, capabilities: &Check, user_namespace: &Check) -> Check {
    let seccomp = node.status_evidence("Seccomp");
    let lsm = lsm_profile(node);
    let profile = lsm.as_ref().map(|(_, profile)| profile.as_str());
    let confined = profile.is_some_and(|profile| {
        !profile.is_empty()
            && !["unconfined", "kernel"].contains(&profile)
            && !profile.contains("unconfined_t")
    });
    let because = |summary: &str| Check::new(Id::Bpf, Verdict::Unmet, summary);
    let check = if user_namespace.verdict == Verdict::Unmet {
        let check = because("bpf(2) is denied, since this is a user namespace");
        user_namespace.remedy.iter().fold(check, Check::remedy)
    } else if capabilities.verdict == Verdict::Unmet {
        let check = because("bpf(2) is denied for want of capabilities");
        capabilities.remedy.iter().fold(check, Check::remedy)
    } else if seccomp == "2" {
        because("bpf(2) is denied, most likely by the seccomp filter").remedy(
            "set seccompProfile: {type: RuntimeDefault} with containerd 1.7 or later (it allows \
             bpf with CAP_BPF), or allow bpf in the Localhost profile",
        )
    } else if confined {
        because("bpf(2) is denied, most likely by the security module's profile").remedy(
            "allow bpf for the container in the AppArmor or SELinux policy, or use an unconfined \
             profile",
        )
    } else {
        because("bpf(2) is denied, and nothing that can be read here says by whom").remedy(
            "look for a BPF LSM policy, a security module's denial in the node's audit log, or \
             CONFIG_BPF_SYSCALL=n",
        )
    };
    let check = check.saw_in(
        &node.proc("self/status"),
        "Seccomp",
        format_args!("{seccomp} (2 is a filter)"),
    );
    match &lsm {
        Some((path, profile)) => check.saw_in(path, "", profile),
        None => check.saw_in(&node.proc("self/attr/current"), "", "no profile to be read"),
    }
}

fn lsm_profile(node: &Node<'_>) -> Option<(std::path::PathBuf, String)> {
    ["self/attr/current", "self/attr/apparmor/current"]
        .into_iter()
        .find_map(|path| {
            let path = node.proc(path);
            let text = files::read_text(&path).ok()?;
            let profile = text.trim_matches(['\0', '\n', ' ']).to_owned();
            (!profile.is_empty()).then_some((path, profile))
        })
}
