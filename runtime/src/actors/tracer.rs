//! Tracer: what is traced?
//!
//! Receives [`Attach`], [`Announce`], [`Detach`], [`DetachIfIdle`]. Sends [`Begin`] and [`Started`] to Emitter, before the
//! namespace's first exec can be in the ring, and [`Targets`] now and then. Never parses HTTP.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use actix::{Actor, Addr, AsyncContext as _, Context, Handler};
use exectrail_common::target::{NsId, NsState};
use exectrail_preflight::Kernel;

use super::{
    emitter::Emitter,
    messages::{
        Announce, Attach, Attached, Begin, Detach, DetachIfIdle, NotRegistered, Registered,
        Started, Targets,
    },
};
use crate::{
    clock::WallClock,
    internal_events::{
        AnnouncementAccepted, AnnouncementRefused, DiscoveryDecided, FailedExecsDecided,
        PrivilegesDropped, PrivilegesKept, TargetsSwept,
    },
    memory,
    output::Found,
    privileges,
    probes::{AttachError, Options, Probes},
    rate_limit::RateLimit,
    target::{INIT_PID_NS, Verdict, judge},
    uninterrupted::uninterrupted,
};

/// How often ended namespaces are looked for. One is forgotten when found ended twice, and by then
/// the kernel has long killed whatever was left in it (`zap_pid_ns_processes`).
const SWEEP: Duration = Duration::from_secs(30);

/// What the tracer is told at the start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What to load.
    pub options: Options,
    /// Trace our own PID namespace.
    pub use_local_pidns: bool,
    /// No discovery.
    pub announced_only: bool,
    /// Give up capabilities once tracing is on.
    pub drop_privileges: bool,
}

/// See the module.
pub struct Tracer {
    settings: Settings,
    emitter: Addr<Emitter>,
    probes: Option<Probes>,
    ended: HashSet<NsId>,
    /// Whether a sweep found a target.
    traced: bool,
    refusals: RateLimit,
}

/// At most so many refusals are logged in [`REFUSAL_PERIOD`].
const REFUSAL_BURST: u32 = 20;
/// See [`REFUSAL_BURST`].
const REFUSAL_PERIOD: Duration = Duration::from_secs(10);

impl Tracer {
    /// Nothing is loaded yet.
    pub fn new(settings: Settings, emitter: Addr<Emitter>) -> Self {
        Self {
            settings,
            emitter,
            probes: None,
            ended: HashSet::new(),
            traced: false,
            refusals: RateLimit::new(REFUSAL_BURST, REFUSAL_PERIOD),
        }
    }

    /// Forgets targets that have ended. Has those told that no record tells of.
    fn sweep(&mut self) {
        let Some(probes) = &mut self.probes else {
            return;
        };
        let targets = probes.targets();
        self.traced |= !targets.is_empty();
        let ended: HashSet<NsId> = targets
            .iter()
            .filter(|target| target.state.ended != 0)
            .map(|target| target.id)
            .collect();
        let mut removed = 0;
        for id in ended.intersection(&self.ended) {
            // It fails only for a target that is gone already.
            removed += u32::from(probes.remove_target(*id).is_ok());
        }
        if removed > 0 {
            TargetsSwept { removed }.emit();
        }
        self.ended = ended;
        self.emitter.do_send(Targets(targets));
    }
}

/// Whether our PID namespace holds other containers: then its first process is not ours.
fn shares_pid_ns(probes: &Probes) -> bool {
    probes.scope().level > 0 && std::process::id() != 1
}

/// Makes `id` a target; says so first.
fn register(
    probes: &mut Probes,
    emitter: &Addr<Emitter>,
    id: NsId,
    found: Found,
) -> Result<(), aya::maps::MapError> {
    emitter.do_send(Started { id, found });
    let state = NsState {
        since: WallClock::boot_now(),
        ..NsState::default()
    };
    probes.add_target(id, state)
}

/// Gives up what this thread, and those that it will start, no longer need.
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
        ctx.run_interval(SWEEP, |tracer, _| tracer.sweep());
    }
}

impl Handler<Attach> for Tracer {
    type Result = Result<Attached, AttachError>;

    fn handle(&mut self, Attach(kernel): Attach, _: &mut Self::Context) -> Self::Result {
        let (mut probes, output) =
            uninterrupted(|| Probes::attach(&kernel, &self.settings.options))?;
        let map_error = |map| move |source| AttachError::Map { map, source };
        let scope = *probes.scope();
        let discovery = !self.settings.announced_only && scope.shared_network == 0;
        if self.settings.use_local_pidns && scope.id.inum == INIT_PID_NS {
            return Err(AttachError::LocalIsInit);
        }
        // Before the first line, which says that it is on; no record is read before the answer.
        if discovery {
            probes.discover().map_err(map_error("CONTROL"))?;
        }
        let failed_execs = probes.failed_execs();
        FailedExecsDecided { failed_execs }.emit();
        self.emitter.do_send(Begin {
            at: WallClock::boot_now(),
            discovery,
            failed_execs: failed_execs.as_str(),
        });
        if self.settings.use_local_pidns {
            register(&mut probes, &self.emitter, scope.id, Found::Local)
                .map_err(map_error("TARGETS"))?;
        }
        DiscoveryDecided {
            on: discovery,
            announced_only: self.settings.announced_only,
        }
        .emit();
        self.probes = Some(probes);
        memory::give_back();
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
            return Err(NotRegistered::Failed("it is stopping".to_owned()));
        };
        let verdict = judge(
            pid_ns,
            probes.scope(),
            shares_pid_ns(probes),
            probes.targets(),
            probes.evidence(),
        );
        match verdict {
            Ok(Verdict::Traced(id)) => {
                self.emitter.do_send(Started {
                    id,
                    found: Found::Announcement,
                });
                AnnouncementAccepted { pid_ns }.emit();
                Ok(Registered)
            }
            Ok(Verdict::Accept(id)) => {
                register(probes, &self.emitter, id, Found::Announcement)
                    .map_err(|error| NotRegistered::Failed(error.to_string()))?;
                AnnouncementAccepted { pid_ns }.emit();
                Ok(Registered)
            }
            Err(refusal) => {
                AnnouncementRefused {
                    pid_ns,
                    refusal,
                    untold: self.refusals.admit(Instant::now()),
                }
                .emit();
                Err(refusal.into())
            }
        }
    }
}

impl Handler<DetachIfIdle> for Tracer {
    type Result = bool;

    fn handle(&mut self, _: DetachIfIdle, _: &mut Self::Context) -> Self::Result {
        let targets = self.probes.as_ref().map(Probes::targets);
        self.traced |= targets.is_some_and(|targets| !targets.is_empty());
        if !self.traced {
            self.probes = None;
        }
        !self.traced
    }
}

impl Handler<Detach> for Tracer {
    type Result = ();

    fn handle(&mut self, _: Detach, _: &mut Self::Context) {
        self.probes = None;
    }
}
