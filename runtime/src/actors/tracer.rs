//! Tracer: decides what is traced.
//!
//! Receives [`Attach`], [`SetReader`], [`Announce`], [`Detach`], [`DetachIfIdle`],
//! [`CheckpointWritten`]. Sends Emitter [`Begin`], [`Ended`] when targets have ended, and
//! [`Targets`] periodically. Sends Emitter [`Started`] for an announced target and for exectrail's
//! own namespace. For a new target, [`Started`] comes before the target's first exec can be in the
//! ring. Sends RingReader [`ReadRing`] for the remaining records of targets that have ended. Keeps
//! the state that survives a restart. Never parses HTTP.

use std::time::{Duration, Instant};

use actix::{Actor, Addr, AsyncContext as _, Context, Handler, Recipient};

use exectrail_common::target::{BY_CGROUP, NsId, NsState};
use exectrail_preflight::Kernel;
use procfs::sys::kernel::random;

use super::{
    emitter::Emitter,
    messages::{
        Announce, Attach, Attached, Begin, CheckpointWritten, Detach, DetachIfIdle, Ended,
        NotRegistered, ReadRing, Registered, SetReader, Started, Targets,
    },
};
use crate::{
    actors::ending::Ends,
    config,
    event::clock::WallClock,
    handshake::verdict::{INIT_PID_NS, Namespace, Verdict, judge},
    output::Found,
    probes::{AttachError, Probes},
    process::{heap, privileges, uninterrupted::uninterrupted},
    state::{Keeper, Pod, Previous, StateError, StateFile, random_id},
    stream::Beginning,
    telemetry::{
        events::{
            AnnouncementAccepted, AnnouncementRefused, DiscoveryDecided, FailedExecsDecided,
            PrivilegesDropped, PrivilegesKept, StateUnusable, TargetsSwept,
        },
        line_limit::LineLimit,
    },
};

/// Period of checking whether targets have ended.
const WATCH: Duration = Duration::from_secs(1);

/// Once in this many rounds, Emitter gets the list of all targets, and writes the first line of
/// each target that has none.
const SWEEP: u32 = 30;

/// Loads the probes, judges announcements, and owns the targets.
pub(crate) struct Tracer {
    settings: config::Tracing,
    emitter: Addr<Emitter>,
    probes: Option<Probes>,
    reader: Option<Recipient<ReadRing>>,
    keeper: Option<Keeper>,
    ends: Ends,
    /// Number of rounds in which the targets were checked.
    rounds: u32,
    /// Whether the kernel has confirmed any target so far.
    traced: bool,
    accepted: LineLimit,
    refusals: LineLimit,
}

/// At most this many accepted announcements, and as many refusals, are logged in [`LOG_PERIOD`].
const LOG_BURST: u32 = 20;
/// See [`LOG_BURST`].
const LOG_PERIOD: Duration = Duration::from_secs(10);

impl Tracer {
    /// Makes a tracer; nothing is loaded yet.
    pub(crate) fn new(settings: config::Tracing, emitter: Addr<Emitter>) -> Self {
        Self {
            settings,
            emitter,
            probes: None,
            reader: None,
            keeper: None,
            ends: Ends::default(),
            rounds: 0,
            traced: false,
            accepted: LineLimit::new(LOG_BURST, LOG_PERIOD),
            refusals: LineLimit::new(LOG_BURST, LOG_PERIOD),
        }
    }

    /// Checks the targets: removes those that have ended, saves the state and, if `all`, sends
    /// Emitter the list of all targets.
    fn watch(&mut self, all: bool) {
        let Some(probes) = &mut self.probes else {
            return;
        };
        let targets = probes.targets();
        self.traced |= targets.iter().any(Namespace::is_confirmed);
        let mut ended = self.ends.find(probes, &targets);
        // The removal fails only for a target that is already removed.
        ended.retain(|id| probes.remove_target(*id).is_ok());
        if let Some(keeper) = &mut self.keeper {
            let ids = targets.iter().map(|target| target.id);
            keeper.keep(ids.filter(|id| !ended.contains(id)));
        }
        if !ended.is_empty() {
            let removed = ended.len();
            TargetsSwept { removed }.emit();
            self.emitter.do_send(Ended(ended));
            if let Some(reader) = &self.reader {
                reader.do_send(ReadRing);
            }
        }
        if all {
            self.emitter.do_send(Targets(targets));
        }
    }

    /// Opens the state directory. Returns the state of the previous run, and whether all targets of
    /// that run are taken over. If the directory cannot be written, that is `false`, because the
    /// previous run may not have saved its targets. Failures are reported.
    fn open_state(&mut self, pod: Pod, run: &str) -> (Option<Previous>, bool) {
        let Some(path) = self.settings.state_dir.clone() else {
            return (None, false);
        };
        let report = |error: StateError| StateUnusable { error: &error }.emit();
        let Ok(dir) = StateFile::new(path, pod, run.to_owned()).map_err(report) else {
            return (None, false);
        };
        let previous = dir.previous().map_err(report);
        let is_whole =
            |previous: &Option<Previous>| previous.as_ref().is_none_or(|p| p.not_taken_over == 0);
        let is_all = dir.is_writable() && previous.as_ref().is_ok_and(is_whole);
        self.keeper = Some(Keeper::new(dir));
        (previous.ok().flatten(), is_all)
    }

    /// Why a workspace of an earlier run may continue untraced if the saved state does not have it;
    /// `None` if it cannot.
    fn unknown(&self, probes: &Probes, discovery: bool) -> Option<String> {
        if !self.settings.restarts {
            return None;
        }
        let is_local = !self.settings.use_local_pidns && shares_pid_ns(probes);
        let why = if self.settings.announced_only {
            "only announced namespaces are traced"
        } else if !discovery {
            "the network is shared with more than the pod, and no cgroup is named after the pod"
        } else if is_local {
            "it may be in the PID namespace of exectrail itself"
        } else if probes.scope().identity() & BY_CGROUP == 0 {
            "no cgroup is named after the pod, and a first process may leave the pod's network"
        } else {
            return None;
        };
        Some(format!(
            "a workspace that was traced before a restart of exectrail may not be recorded until \
             it is announced again: {why}; give exectrail a --state-dir of its own that it can \
             write to"
        ))
    }
}

/// Whether other containers may share exectrail's PID namespace. They may if exectrail is not the
/// first process of the namespace, and the namespace is not the init PID namespace.
fn shares_pid_ns(probes: &Probes) -> bool {
    probes.scope().level > 0 && std::process::id() != 1
}

/// Makes a namespace a target from now on, after sending Emitter [`Started`].
fn register(
    probes: &mut Probes,
    emitter: &Addr<Emitter>,
    known: &Namespace,
    found: Found,
) -> Result<(), aya::maps::MapError> {
    let state = NsState {
        since: WallClock::boot_now(),
        by: 0,
        ..known.state
    };
    let workspace = Namespace {
        id: known.id,
        state,
    };
    emitter.do_send(Started { workspace, found });
    probes.add_target(known.id, state)
}

/// exectrail's own PID namespace, as a target.
fn own_namespace(probes: &Probes) -> Namespace {
    let scope = probes.scope();
    Namespace {
        id: scope.id,
        state: NsState {
            address: scope.address,
            level: scope.level,
            ..NsState::default()
        },
    }
}

/// Drops the capabilities that this thread, and threads that it will start, no longer need.
fn drop_privileges(kernel: &Kernel) {
    match privileges::keep_only(&privileges::needed_for_maps(&kernel.release)) {
        Ok(kept) => {
            let mut names: Vec<String> = kept.iter().map(ToString::to_string).collect();
            names.sort();
            PrivilegesDropped {
                kept: names.join(" "),
            }
            .emit();
        }
        Err(error) => PrivilegesKept {
            error: error.to_string(),
        }
        .emit(),
    }
}

impl Actor for Tracer {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(WATCH, |tracer, _| {
            tracer.rounds = tracer.rounds.wrapping_add(1);
            tracer.watch(tracer.rounds.is_multiple_of(SWEEP));
        });
    }
}

impl Handler<Attach> for Tracer {
    type Result = Result<Attached, AttachError>;

    fn handle(&mut self, Attach(kernel): Attach, ctx: &mut Self::Context) -> Self::Result {
        let (mut probes, output) =
            uninterrupted(|| Probes::attach(&kernel, &self.settings.probes))?;
        let map_error = |map| move |source| AttachError::Map { map, source };
        let scope = *probes.scope();
        let discovery = !self.settings.announced_only && scope.can_discover();
        if self.settings.use_local_pidns && scope.id.inum == INIT_PID_NS {
            return Err(AttachError::LocalIsInit);
        }
        let run = random_id().unwrap_or_else(|_| {
            // Without /proc/sys: a value that no other run on this machine has.
            format!("{}-{}", WallClock::boot_now(), std::process::id())
        });
        let pod = Pod {
            net_ns: probes.net_ns(),
            cgroup: scope.pod_cgroup,
        };
        let (previous, is_all) = self.open_state(pod, &run);
        let since = WallClock::boot_now();
        for id in previous.iter().flat_map(|previous| &previous.targets) {
            // The probes match a target by number and start time, so another namespace never
            // matches.
            let state = NsState {
                since,
                ..NsState::default()
            };
            probes
                .add_target(*id, state)
                .map_err(map_error("TARGETS"))?;
        }
        // Discovery begins after the targets of an earlier run are added, so that these are not
        // reported as new. It begins before the first line, which reports that discovery is on. No
        // record is read before this handler's answer.
        if discovery {
            probes.discover().map_err(map_error("CONTROL"))?;
        }
        let failed_execs = probes.failed_execs();
        FailedExecsDecided { failed_execs }.emit();
        let beginning = Beginning {
            at: WallClock::boot_now(),
            run,
            boot_id: random::boot_id().ok(),
            node: self.settings.node.clone(),
            discovery,
            identity: scope.identity(),
            own_level: scope.level,
            failed_execs: failed_execs.as_str(),
            unknown: if is_all {
                None
            } else {
                self.unknown(&probes, discovery)
            },
            previous,
        };
        let keeper = ctx.address().recipient();
        self.emitter.do_send(Begin { beginning, keeper });
        if self.settings.use_local_pidns {
            let own = own_namespace(&probes);
            register(&mut probes, &self.emitter, &own, Found::Local)
                .map_err(map_error("TARGETS"))?;
        }
        DiscoveryDecided {
            on: discovery,
            announced_only: self.settings.announced_only,
            identity: scope.identity(),
        }
        .emit();
        self.probes = Some(probes);
        heap::give_back();
        if self.settings.drop_privileges {
            drop_privileges(&kernel);
        }
        Ok(Attached { output })
    }
}

impl Handler<Announce> for Tracer {
    type Result = Result<Registered, NotRegistered>;

    fn handle(&mut self, Announce { pid_ns }: Announce, _: &mut Self::Context) -> Self::Result {
        let Some(probes) = &mut self.probes else {
            return Err(NotRegistered::Failed("exectrail is stopping".to_owned()));
        };
        let (targets, evidence) = (probes.targets(), probes.evidence());
        let mut ids: Vec<NsId> = targets.iter().map(|target| target.id).collect();
        let (own, shared) = (*probes.scope(), shares_pid_ns(probes));
        // If the kernel cannot answer, the namespace is assumed to be alive.
        let mut has_ended = |known: &Namespace| probes.has_ended(known).unwrap_or(false);
        let verdict = judge(pid_ns, &own, shared, targets, evidence, &mut has_ended);
        let found = Found::Announcement;
        match verdict {
            Ok(Verdict::Accept(workspace)) => {
                register(probes, &self.emitter, &workspace, found)
                    .map_err(|error| NotRegistered::Failed(error.to_string()))?;
                ids.push(workspace.id);
            }
            Ok(Verdict::Traced(workspace)) => {
                self.emitter.do_send(Started { workspace, found });
            }
            Ok(Verdict::Below) => {}
            Err(refusal) => {
                AnnouncementRefused {
                    pid_ns,
                    refusal,
                    not_logged: self.refusals.admit(Instant::now()),
                }
                .emit();
                return Err(refusal.into());
            }
        }
        if let Some(keeper) = &mut self.keeper {
            // Saved before the answer, so that an accepted announcement survives a restart. Since
            // the last save, discovery may have found the workspace, or a namespace above it.
            keeper.keep(ids.into_iter());
        }
        let not_logged = self.accepted.admit(Instant::now());
        AnnouncementAccepted { pid_ns, not_logged }.emit();
        Ok(Registered)
    }
}

impl Handler<CheckpointWritten> for Tracer {
    type Result = ();

    fn handle(&mut self, written: CheckpointWritten, _: &mut Self::Context) {
        if let Some(keeper) = &mut self.keeper {
            keeper.checkpoint(written.0);
        }
    }
}

impl Handler<DetachIfIdle> for Tracer {
    type Result = bool;

    fn handle(&mut self, _: DetachIfIdle, _: &mut Self::Context) -> Self::Result {
        self.watch(false);
        // A target of an earlier run may be alive without an exec in this run, so it counts until
        // its end is proved.
        let targets = self.probes.as_ref().map(Probes::targets);
        let is_idle = !self.traced && targets.is_none_or(|targets| targets.is_empty());
        if is_idle {
            self.probes = None;
        }
        is_idle
    }
}

impl Handler<SetReader> for Tracer {
    type Result = ();

    fn handle(&mut self, SetReader(reader): SetReader, _: &mut Self::Context) {
        self.reader = Some(reader);
    }
}

impl Handler<Detach> for Tracer {
    type Result = ();

    fn handle(&mut self, _: Detach, _: &mut Self::Context) {
        // Removes targets that have just ended.
        self.watch(false);
        if let Some(keeper) = &mut self.keeper {
            keeper.end();
        }
        self.probes = None;
    }
}
