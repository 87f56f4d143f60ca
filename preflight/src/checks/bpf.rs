//! Whether the kernel lets this process make the maps and load the programs.

use std::io;

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, setrlimit};

use super::denial::{self, Denial};
use super::node::{Node, is};
use crate::bpf::{Map, Program, Refused, make_map};
use crate::report::{Check, Id, Verdict};

/// The check, and whether a program may call `bpf_probe_read_kernel`: `None` if the trials did not
/// show that. `tracepoint` is the BTF id of `sched_process_exec`. The other checks help to explain
/// a denial.
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
        // Without CAP_SYS_RESOURCE the kernel refuses this; the check of capabilities reports that.
        let unlimited = Rlimit {
            current: None,
            maximum: None,
        };
        let _ = setrlimit(Resource::Memlock, unlimited);
    }
    let mut trial = Trial {
        verdict: Verdict::Ok,
        denial: Denial::default(),
        evidence: Vec::new(),
    };
    let (mut ring, mut hash) = (None, None);
    for map in Map::ALL {
        let made = make_map(map);
        trial.map(map, made.as_ref().err());
        match map {
            Map::RingBuf => ring = made.ok(),
            Map::Hash => hash = made.ok(),
            _ => {}
        }
    }

    let program = tracepoint.map_or(Program::RawTracepoint, Program::TpBtf);
    let loaded = program.load();
    trial.program(program, "", loaded.as_ref().err());
    let mut read_kernel = None;
    if loaded.is_ok() {
        if let (Some(ring), Some(hash)) = (&ring, &hash) {
            let loaded = program.load_with_helpers(ring, hash);
            trial.program(program, " with all helpers", loaded.as_ref().err());
        }
        read_kernel = match program.load_with_read_kernel() {
            Ok(()) => Some(true),
            Err(refused) if refused.lacks_helper() => Some(false),
            Err(_) => None,
        };
    }
    // Without BTF the program type that exectrail needs could not be tried.
    if tracepoint.is_none() && trial.verdict == Verdict::Ok {
        trial.verdict = Verdict::Unknown;
    }
    (
        trial.into_check(node, capabilities, user_namespace),
        read_kernel,
    )
}

/// Results of the trials so far.
struct Trial {
    verdict: Verdict,
    denial: Denial,
    evidence: Vec<(String, String)>,
}

impl Trial {
    fn map(&mut self, map: Map, error: Option<&io::Error>) {
        let unmet = error.is_some_and(|error| {
            // EINVAL: the kernel does not know this kind of map. The size is not the reason: every
            // kernel accepts it.
            self.denial.note(error) || is(error, Errno::INVAL)
        });
        self.note(
            format!("bpf(2) map {}", map.name()),
            error.map(ToString::to_string),
            unmet,
        );
    }

    fn program(&mut self, program: Program, what: &str, refused: Option<&Refused>) {
        let unmet = refused.is_some_and(|refused| {
            // A log shows that it was the verifier that refused, so permissions are not the reason.
            let silent = refused.log.is_empty();
            // E2BIG: the kernel has no attachment by BTF id (before 5.5).
            silent && (self.denial.note(&refused.error) || is(&refused.error, Errno::TOOBIG))
                || refused.lacks_helper()
        });
        let source = format!("bpf(2) program {}{what}", program.name());
        self.note(source, refused.map(ToString::to_string), unmet);
    }

    fn note(&mut self, source: String, error: Option<String>, unmet: bool) {
        match (&error, unmet) {
            (None, _) => self.denial.note_allowed(),
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
                "the maps and programs of exectrail are allowed",
            ),
            Verdict::Unmet if self.denial.any() => {
                denial::check(node, self.denial, capabilities, user_namespace)
            }
            Verdict::Unmet => Check::new(
                Id::Bpf,
                Verdict::Unmet,
                "the kernel lacks a part of BPF that is needed",
            )
            .remedy(node.platform.other_kernel().unwrap_or_else(|| {
                "run on nodes with Linux 5.8 or later and CONFIG_BPF_EVENTS=y".to_owned()
            })),
            _ => Check::new(
                Id::Bpf,
                Verdict::Unknown,
                "some of what exectrail does with BPF could not be tried",
            )
            .remedy("see the evidence; starting exectrail reports the full reason"),
        };
        for (source, value) in self.evidence {
            check = check.saw(source, value);
        }
        check
    }
}
