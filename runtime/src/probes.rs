//! The probes: loading them into the kernel, attaching them, and the maps shared with them.

use aya::{
    Btf, Ebpf, VerifierLogLevel,
    maps::{Array, HashMap, Map, MapData, MapError, RingBuf},
    programs::{BtfTracePoint, ProgramFd},
    util::nr_cpus,
};
use bytemuck::{bytes_of, cast};
use exectrail_common::{
    exec_calls::CALLS,
    map_memory::early_slots,
    suppression::MAX_BUCKETS,
    target::{Control, DECISION_SLOTS, DISMISSAL_SLOTS, NsId, NsState, OwnScope},
};
use exectrail_preflight::{
    Kernel,
    attach_points::{self, AttachPoint},
};
use rustix::process::{Resource, Rlimit, setrlimit};

use crate::{
    counters::{self, Counters},
    rate,
    suppression::Limits,
    target::Known,
};

mod end_check;
mod error;
pub mod failed_execs;
mod kernel_btf;
mod lanes;
mod loader;
mod object;
mod own_scope;
mod pod_cgroup;
mod sidecar;
pub(crate) mod suppression;

use end_check::EndChecks;
pub use end_check::EndUnknown;
pub use error::AttachError;
use failed_execs::{FailedExecs, Hook};
use object::object;
use suppression::Suppressions;

/// Attach point of the program that confirms ends.
const END_CHECK: AttachPoint = AttachPoint::Tracepoint(attach_points::END_CHECK);

/// Options of the probes.
#[derive(Clone, Debug)]
pub struct Options {
    /// Size of the ring buffer, bytes.
    pub ring_bytes: u32,
    /// Maximum number of bytes of argv recorded per exec.
    pub max_argv_bytes: u32,
    /// Record exits as well as execs.
    pub exit_events: bool,
    /// Record failed execs with the first of these hooks that the kernel allows.
    pub failed_execs: &'static [Hook],
    /// What is suppressed.
    pub limits: Limits,
}

/// Attached probes, and the maps that control them. Dropping it detaches them.
pub struct Probes {
    ebpf: Ebpf,
    scope: OwnScope,
    net_ns: u32,
    targets: Namespaces,
    evidence: Namespaces,
    end_checks: Option<EndChecks>,
    control: Array<MapData, [u32; 2]>,
    generation: u32,
    discovery: bool,
    failed_execs: FailedExecs,
}

/// A map from [`NsId`] to [`NsState`].
type Namespaces = HashMap<MapData, [u64; 2], NsWords>;

/// [`NsState`] in words.
type NsWords = [u64; size_of::<NsState>() / 8];

/// The ring and its counters, for the reader.
pub struct Output {
    /// The ring.
    pub ring: RingBuf<MapData>,
    /// The kernel's counts.
    pub counters: Counters,
}

impl Probes {
    /// Loads and attaches all programs. There are no targets yet.
    ///
    /// # Errors
    /// [`AttachError`] with the kernel's answer.
    pub fn attach(kernel: &Kernel, options: &Options) -> Result<(Self, Output), AttachError> {
        if kernel.needs_memlock {
            let unlimited = Rlimit {
                current: None,
                maximum: None,
            };
            setrlimit(Resource::Memlock, unlimited).map_err(AttachError::Memlock)?;
        }
        let cpus = nr_cpus().map_err(|(path, source)| AttachError::Read {
            path: path.into(),
            source,
        })?;
        let lanes = lanes::count(&kernel.release);
        let own = sidecar::own(kernel, options, lanes, cpus)?;
        let rules = options.limits.rules.set();
        let rate = options.limits.rate.map(rate::Limit::set);
        let buckets = if rate.is_some() { MAX_BUCKETS } else { 1 };
        let rate = rate.unwrap_or_default();
        let btf = kernel_btf::of(
            &kernel.attach_points,
            options.failed_execs.contains(&Hook::Fexit),
        )
        .map_err(AttachError::Btf)?;
        // A feature that is off takes no memory.
        let calls = if options.failed_execs.is_empty() {
            0
        } else {
            CALLS
        };
        let mut loader = loader::without_kernel_types();
        for map in ["STATS", "SCRATCH"] {
            loader.map_max_entries(map, lanes);
        }
        let rule_lanes = if options.limits.rules.is_empty() {
            1
        } else {
            lanes
        };
        for map in ["SUPPRESSED", "FILENAME_KEY"] {
            loader.map_max_entries(map, rule_lanes);
        }
        if lanes == 1 {
            loader.map_max_entries("SEEN", 1);
        }
        if lanes == 1 || !options.exit_events {
            loader
                .map_max_entries("DECISIONS", DECISION_SLOTS)
                .map_max_entries("DISMISSALS", DISMISSAL_SLOTS);
        }
        let mut ebpf = loader
            .btf(None)
            .verifier_log_level(verifier_log_level())
            .override_global("OFFSETS", bytes_of(&kernel.offsets), true)
            .override_global("OWN", bytes_of(&own), true)
            .override_global("EXEC_CALLS", bytes_of(&failed_execs::exec_calls()), true)
            .override_global("RULES", bytes_of(&rules), true)
            .override_global("RATE", bytes_of(&rate), true)
            .map_max_entries("BUCKETS", buckets)
            .map_max_entries("RING", options.ring_bytes)
            .map_max_entries("EARLY", early_slots(cpus as u64) * cpus as u32)
            .map_max_entries("FAILED", (calls * cpus).max(1) as u32)
            .map_max_entries("FAILED_STATS", calls.max(1) as u32)
            .load(&object(&kernel.offsets)?)?;

        let scope = own_scope::look(&mut ebpf, &btf)?;
        suppression::fill(&mut ebpf, &options.limits)?;
        for (program, tracepoint) in lanes::programs(lanes, options.exit_events) {
            attach(&mut ebpf, &btf, program, tracepoint)?;
        }
        let end_checks = if kernel.attach_points.id(END_CHECK).is_some() && kernel.read_kernel {
            attach(&mut ebpf, &btf, "end_check", attach_points::END_CHECK)?;
            Some(EndChecks::new(take(&mut ebpf, "END_CHECK")?))
        } else {
            None
        };

        let stats = take(&mut ebpf, "STATS")?;
        let map = "STATS";
        let execs_before =
            counters::execs(&stats).map_err(|source| AttachError::Map { map, source })?;
        let (failed_execs, attached) =
            failed_execs::attach(&mut ebpf, &btf, &kernel.release, options.failed_execs);
        let failed = attached
            .map(|(hook, fds)| failed_execs::Counters::new(&mut ebpf, hook, fds, execs_before))
            .transpose()?;

        let suppressions = Suppressions::take(&mut ebpf, &options.limits, lanes)?;
        let exits = options
            .exit_events
            .then(|| fd(&ebpf, "exit", "sched_process_exit"))
            .transpose()?;
        let execs = fd(&ebpf, "exec", "sched_process_exec")?;
        let output = Output {
            counters: Counters::new(stats, lanes, execs, exits, failed, suppressions)?,
            ring: take(&mut ebpf, "RING")?,
        };
        let probes = Self {
            scope,
            net_ns: own.net_ns,
            targets: take(&mut ebpf, "TARGETS")?,
            evidence: take(&mut ebpf, "EVIDENCE")?,
            end_checks,
            control: take(&mut ebpf, "CONTROL")?,
            generation: 0,
            discovery: false,
            failed_execs,
            ebpf,
        };
        Ok((probes, output))
    }

    /// The sidecar's own namespace and the pod's cgroup.
    pub fn scope(&self) -> &OwnScope {
        &self.scope
    }

    /// Inode number of our network namespace.
    pub fn net_ns(&self) -> u32 {
        self.net_ns
    }

    /// How failed execs are recorded.
    pub fn failed_execs(&self) -> &FailedExecs {
        &self.failed_execs
    }

    /// Number of instructions that the verifier processed for the `exec` program (Linux 5.16 and
    /// later).
    pub fn verified_instructions(&mut self) -> Option<u32> {
        program(&mut self.ebpf, "exec")
            .ok()?
            .info()
            .ok()?
            .verified_instruction_count()
    }

    /// Lets namespaces of the pod become targets at their first exec.
    ///
    /// # Errors
    /// If the kernel refuses to change the map.
    pub fn discover(&mut self) -> Result<(), MapError> {
        self.discovery = true;
        self.decide_anew()
    }

    /// Makes `id` a target. On return, every exec in it is recorded.
    ///
    /// # Errors
    /// If the kernel refuses to change the map; the map has room for 1,024 targets.
    pub fn add_target(&mut self, id: NsId, state: NsState) -> Result<(), MapError> {
        self.targets.insert(
            cast::<NsId, [u64; 2]>(id),
            cast::<NsState, NsWords>(state),
            0,
        )?;
        self.decide_anew()
    }

    /// Removes a target whose namespace has ended.
    ///
    /// # Errors
    /// If the kernel refuses to change the map.
    pub fn remove_target(&mut self, id: NsId) -> Result<(), MapError> {
        self.targets.remove(&cast::<NsId, [u64; 2]>(id))?;
        self.decide_anew()
    }

    /// The targets.
    pub fn targets(&self) -> Vec<Known> {
        known(&self.targets)
    }

    /// Namespaces of the pod in which an exec was seen.
    pub fn evidence(&self) -> Vec<Known> {
        known(&self.evidence)
    }

    /// Whether the namespace of `target` has no process and cannot get one.
    ///
    /// # Errors
    /// If that is unknown.
    pub fn has_ended(&mut self, target: &Known) -> Result<bool, EndUnknown> {
        self.end_checks
            .as_mut()
            .ok_or(EndUnknown::Unsupported)?
            .has_ended(target)
    }

    /// Makes all cached decisions of the probes lapse.
    fn decide_anew(&mut self) -> Result<(), MapError> {
        self.generation = self.generation.wrapping_add(1);
        let control = Control {
            discovery: u32::from(self.discovery),
            generation: self.generation,
        };
        self.control.set(0, cast::<Control, [u32; 2]>(control), 0)
    }
}

/// The verifier's log of a program that it refuses: the reason; at the level `debug` also each
/// instruction before it. Those are megabytes, which take minutes to write on a slow machine.
fn verifier_log_level() -> VerifierLogLevel {
    if tracing::enabled!(tracing::Level::DEBUG) {
        VerifierLogLevel::VERBOSE | VerifierLogLevel::STATS
    } else {
        VerifierLogLevel::STATS
    }
}

/// The entries of a map of namespaces. An entry that is removed meanwhile is omitted.
fn known(map: &Namespaces) -> Vec<Known> {
    map.iter()
        .flatten()
        .map(|(id, state)| Known {
            id: cast(id),
            state: cast(state),
        })
        .collect()
}

/// Takes a map out of the object.
fn take<T: TryFrom<Map, Error = MapError>>(
    ebpf: &mut Ebpf,
    name: &'static str,
) -> Result<T, AttachError> {
    let map = ebpf.take_map(name).ok_or(AttachError::Missing(name))?;
    T::try_from(map).map_err(|source| AttachError::Map { map: name, source })
}

/// A program of the object.
fn program<'a>(
    ebpf: &'a mut Ebpf,
    name: &'static str,
) -> Result<&'a mut BtfTracePoint, AttachError> {
    ebpf.program_mut(name)
        .and_then(|program| program.try_into().ok())
        .ok_or(AttachError::Missing(name))
}

/// The descriptor of a loaded program.
fn fd<'a>(
    ebpf: &'a Ebpf,
    name: &'static str,
    tracepoint: &'static str,
) -> Result<&'a ProgramFd, AttachError> {
    let program: &BtfTracePoint = ebpf
        .program(name)
        .and_then(|program| program.try_into().ok())
        .ok_or(AttachError::Missing(name))?;
    program.fd().map_err(|source| AttachError::Program {
        program: name,
        tracepoint,
        source: Box::new(source),
    })
}

/// Loads and attaches one program.
fn attach(
    ebpf: &mut Ebpf,
    btf: &Btf,
    name: &'static str,
    tracepoint: &'static str,
) -> Result<aya::programs::tp_btf::BtfTracePointLinkId, AttachError> {
    let program = program(ebpf, name)?;
    program
        .load(tracepoint, btf)
        .and_then(|()| program.attach())
        .map_err(|source| AttachError::Program {
            program: name,
            tracepoint,
            source: Box::new(source),
        })
}
