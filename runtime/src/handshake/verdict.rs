//! The policy for announcements: whether an announced namespace becomes a target, and the text of
//! each `403`. The texts of `400` are in `request`. The texts of `503` are in `actors`: tracing is
//! impossible (`lifecycle/mod.rs`, `refuse`), one namespace failed (`messages.rs`), exectrail stops
//! (`init_listener.rs`, `tracer.rs`). The probes decide which namespaces belong to the pod
//! (`probes-ebpf/src/pod.rs`).

use exectrail_common::{
    sidecar_scope::SidecarScope,
    target::{BELOW_TARGET, NsId, NsState},
};

/// Inode number of the init PID namespace (`PROC_PID_INIT_INO`, include/linux/proc_ns.h).
pub(crate) const INIT_PID_NS: u32 = 0xEFFF_FFFC;

/// Why an announcement is refused. The client gets the text as the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Namespace 0 does not exist.
    #[error("PID namespace 0 does not exist; announce the number in `readlink /proc/self/ns/pid`")]
    Zero,
    /// The init PID namespace of the node.
    #[error(
        "PID namespace {INIT_PID_NS} is the node's own; tracing it would record every pod. \
         Run the workspace without hostPID"
    )]
    Init,
    /// The sidecar's own PID namespace, if no other container shares it.
    #[error(
        "PID namespace {0} is exectrail's own; announce the workspace's, from inside the workspace"
    )]
    Own(u32),
    /// No exec has shown that the namespace belongs to this pod.
    #[error(
        "no exec was seen in a PID namespace {0} of this pod. Announce it from inside the \
        workspace container, with a program that is started for this"
    )]
    NoEvidence(u32),
    /// No process is left in the namespace.
    #[error("PID namespace {0} has ended: no process is left in it")]
    Ended(u32),
}

impl Refusal {
    /// All results of [`Self::reason`].
    pub const REASONS: [&str; 5] = ["zero", "init_pid_ns", "own_pid_ns", "no_evidence", "ended"];

    /// A short name of the reason, for logs and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Zero => "zero",
            Self::Init => "init_pid_ns",
            Self::Own(_) => "own_pid_ns",
            Self::NoEvidence(_) => "no_evidence",
            Self::Ended(_) => "ended",
        }
    }
}

/// A target, or another namespace that an announcement may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// Identity of the namespace.
    pub id: NsId,
    /// State of the namespace in the probes' map.
    pub state: NsState,
}

impl Namespace {
    /// Whether an exec in this run has shown that the namespace exists. A target from the state of
    /// an earlier run may have ended. Until its first exec in this run, only its number and start
    /// are known.
    pub fn is_confirmed(&self) -> bool {
        self.state.address != 0
    }
}

/// The result of an announcement that is not refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Already a target.
    Traced(Namespace),
    /// Below a target, so its execs are recorded already.
    Below,
    /// To be made a target.
    Accept(Namespace),
}

/// Judges the announcement of `pid_ns`.
///
/// `targets` and `evidence` are the entries of the probes' maps. Several entries may have the same
/// inum, if the kernel has reused it. Of these, `judge` prefers, in this order:
/// 1. a living namespace to an ended one;
/// 2. a confirmed one to an unconfirmed one;
/// 3. a later one to an earlier one.
///
/// `has_ended` returns whether a namespace has ended. `shares_pid_ns` is true if other containers
/// share the sidecar's namespace.
///
/// # Errors
/// [`Refusal`].
pub(crate) fn judge(
    pid_ns: u32,
    own: &SidecarScope,
    shares_pid_ns: bool,
    targets: impl IntoIterator<Item = Namespace>,
    evidence: impl IntoIterator<Item = Namespace>,
    has_ended: &mut dyn FnMut(&Namespace) -> bool,
) -> Result<Verdict, Refusal> {
    if pid_ns == 0 {
        return Err(Refusal::Zero);
    }
    if pid_ns == INIT_PID_NS {
        return Err(Refusal::Init);
    }
    let mut newest = |known: &mut dyn Iterator<Item = Namespace>| {
        known
            .filter(|known| known.id.inum == pid_ns)
            .map(|known| (!has_ended(&known), known))
            .max_by_key(|(lives, known)| (*lives, known.is_confirmed(), known.id.start))
    };
    let target = newest(&mut targets.into_iter());
    let seen = newest(&mut evidence.into_iter());
    // The kernel reuses a number only after the namespace has ended. So a later namespace with the
    // same number proves the end, even if the end itself was not seen.
    let target_is_gone = target.is_some_and(|(lives, known)| {
        !lives || seen.is_some_and(|(_, seen)| seen.id.start > known.id.start)
    });
    if let Some((_, target)) = target
        && target.is_confirmed()
        && !target_is_gone
    {
        return Ok(Verdict::Traced(target));
    }
    if pid_ns == own.id.inum {
        return if shares_pid_ns {
            Ok(Verdict::Accept(Namespace {
                id: own.id,
                state: NsState {
                    address: own.address,
                    level: own.level,
                    ..NsState::default()
                },
            }))
        } else {
            Err(Refusal::Own(pid_ns))
        };
    }
    match seen {
        Some((true, seen)) if seen.state.by & BELOW_TARGET != 0 => Ok(Verdict::Below),
        Some((true, seen)) => Ok(Verdict::Accept(seen)),
        Some((false, _)) => Err(Refusal::Ended(pid_ns)),
        None if target_is_gone => Err(Refusal::Ended(pid_ns)),
        _ => Err(Refusal::NoEvidence(pid_ns)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: SidecarScope = SidecarScope {
        id: NsId {
            start: 5,
            inum: 50,
            zero: 0,
        },
        address: 0,
        pod_cgroup: 0,
        pod_cgroup_level: 0,
        cgroup_level: 0,
        level: 1,
        shared_network: 0,
    };

    /// A depth by which the `has_ended` of these tests recognizes an ended namespace.
    const ENDED: u32 = 1;

    fn known(inum: u32, start: u64, ended: u32) -> Namespace {
        Namespace {
            id: NsId {
                start,
                inum,
                zero: 0,
            },
            state: NsState {
                level: ended * ENDED,
                address: 0xffff_8880_0000_0000,
                ..NsState::default()
            },
        }
    }

    /// A target from the state of an earlier run, without an exec since.
    fn left(inum: u32, start: u64) -> Namespace {
        let mut known = known(inum, start, 0);
        known.state.address = 0;
        known
    }

    fn judge_with(
        pid_ns: u32,
        targets: &[Namespace],
        evidence: &[Namespace],
    ) -> Result<Verdict, Refusal> {
        judge(
            pid_ns,
            &OWN,
            false,
            targets.iter().copied(),
            evidence.iter().copied(),
            &mut |known| known.state.level == ENDED,
        )
    }

    #[test]
    fn what_is_never_accepted() {
        let everything = [known(0, 1, 0), known(INIT_PID_NS, 1, 0), known(50, 5, 0)];
        assert_eq!(judge_with(0, &[], &everything), Err(Refusal::Zero));
        assert_eq!(
            judge_with(INIT_PID_NS, &[], &everything),
            Err(Refusal::Init)
        );
        assert_eq!(judge_with(50, &[], &everything), Err(Refusal::Own(50)));
        assert_eq!(judge_with(60, &[], &[]), Err(Refusal::NoEvidence(60)));
        let all = [
            Refusal::Zero,
            Refusal::Init,
            Refusal::Own(1),
            Refusal::NoEvidence(1),
            Refusal::Ended(1),
        ];
        assert_eq!(all.map(|refusal| refusal.reason()), Refusal::REASONS);
    }

    #[test]
    fn evidence_is_accepted_and_a_target_stays_one() {
        assert_eq!(
            judge_with(60, &[], &[known(60, 7, 0)]),
            Ok(Verdict::Accept(known(60, 7, 0)))
        );
        assert_eq!(
            judge_with(60, &[known(60, 7, 0)], &[]),
            Ok(Verdict::Traced(known(60, 7, 0)))
        );
    }

    #[test]
    fn a_dead_namespace_is_distinguished_from_its_successor() {
        assert_eq!(
            judge_with(60, &[known(60, 7, 1)], &[]),
            Err(Refusal::Ended(60))
        );
        assert_eq!(
            judge_with(60, &[known(60, 7, 1)], &[known(60, 9, 0)]),
            Ok(Verdict::Accept(known(60, 9, 0)))
        );
        // The end of the namespace was not seen.
        assert_eq!(
            judge_with(60, &[known(60, 7, 0)], &[known(60, 9, 0)]),
            Ok(Verdict::Accept(known(60, 9, 0)))
        );
        assert_eq!(
            judge_with(60, &[known(60, 7, 0)], &[known(60, 7, 0)]),
            Ok(Verdict::Traced(known(60, 7, 0)))
        );
        assert_eq!(
            judge_with(60, &[known(60, 7, 0), known(60, 6, 1)], &[]),
            Ok(Verdict::Traced(known(60, 7, 0)))
        );
    }

    #[test]
    fn what_an_earlier_run_has_left_is_no_target_until_the_kernel_shows_it() {
        assert_eq!(
            judge_with(60, &[left(60, 7)], &[]),
            Err(Refusal::NoEvidence(60))
        );
        assert_eq!(
            judge_with(60, &[left(60, 7)], &[known(60, 7, 0)]),
            Ok(Verdict::Accept(known(60, 7, 0)))
        );
        assert_eq!(
            judge_with(60, &[left(60, 7)], &[known(60, 9, 0)]),
            Ok(Verdict::Accept(known(60, 9, 0)))
        );
        assert_eq!(
            judge_with(60, &[left(60, 9), known(60, 7, 0)], &[]),
            Ok(Verdict::Traced(known(60, 7, 0)))
        );
    }

    #[test]
    fn what_lies_below_a_target_is_recorded_already() {
        let mut inner = known(61, 8, 0);
        inner.state.by = BELOW_TARGET;
        assert_eq!(
            judge_with(61, &[known(60, 7, 0)], &[inner]),
            Ok(Verdict::Below)
        );
        inner.state.level = ENDED;
        assert_eq!(
            judge_with(61, &[known(60, 7, 0)], &[inner]),
            Err(Refusal::Ended(61))
        );
    }

    #[test]
    fn a_shared_pid_namespace_may_be_announced() {
        let verdict = judge(50, &OWN, true, [], [], &mut |_| false);
        assert!(matches!(verdict, Ok(Verdict::Accept(Namespace { id, .. })) if id == OWN.id));
    }
}
