//! The probes: loading them into the kernel, attaching them, and the maps shared with them.

use aya::{
    Ebpf,
    maps::{Array, HashMap, MapData, MapError, RingBuf},
};
use bytemuck::cast;
use exectrail_common::{
    map_names,
    sidecar_scope::SidecarScope,
    target::{Control, NsId, NsState},
};
use exectrail_preflight::{Kernel, attach_points::AttachPoint};
use rustix::process::{Resource, Rlimit, setrlimit};

use crate::handshake::verdict::Namespace;

pub(crate) mod counters;
mod end_check;
mod error;
pub(crate) mod failed_execs;
mod kernel_btf;
mod lanes;
mod load;
mod loader;
mod map;
mod object;
mod options;
mod pod_cgroup;
mod probe_config;
mod programs;
mod sidecar_scope;
mod skipped;
mod suppression;
#[cfg(test)]
mod tests;

use counters::Counters;
use end_check::EndChecks;
use error::map_error;
use failed_execs::FailedExecs;
use map::take;
use suppression::Suppressions;

pub(crate) use end_check::EndUnknown;
pub(crate) use error::AttachError;
pub(crate) use options::{Hook, Options};

/// Attached probes, and the maps that control them. Dropping this value detaches the probes.
pub(crate) struct Probes {
    /// The loaded programs; dropping this object detaches them.
    _ebpf: Ebpf,
    scope: SidecarScope,
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
pub(crate) struct Output {
    /// The ring.
    pub ring: RingBuf<MapData>,
    /// The kernel's counts.
    pub counters: Counters,
}

impl Probes {
    /// Loads and attaches all programs that the options need. There are no targets yet.
    ///
    /// # Errors
    /// [`AttachError`] with the kernel's answer.
    pub(crate) fn attach(
        kernel: &Kernel,
        options: &Options,
    ) -> Result<(Self, Output), AttachError> {
        if kernel.needs_memlock {
            let unlimited = Rlimit {
                current: None,
                maximum: None,
            };
            setrlimit(Resource::Memlock, unlimited).map_err(AttachError::Memlock)?;
        }
        let lanes = lanes::count(&kernel.release);
        let (mut ebpf, config) = load::load(kernel, options, lanes)?;
        let with_functions = options.failed_execs.contains(&Hook::Fexit);
        let btf = kernel_btf::of(&kernel.attach_points, with_functions)?;

        let scope = sidecar_scope::look(&mut ebpf, &btf)?;
        suppression::fill(&mut ebpf, &options.suppression)?;
        for program in lanes::programs(lanes, options.exit_events) {
            program.attach(&mut ebpf, &btf)?;
        }
        let tracepoint = AttachPoint::Tracepoint(programs::END_CHECK.tracepoint);
        let has_end_check = kernel.attach_points.id(tracepoint).is_some();
        let end_checks = if has_end_check {
            programs::END_CHECK.attach(&mut ebpf, &btf)?;
            Some(EndChecks::new(take(&mut ebpf, map_names::END_CHECK)?))
        } else {
            None
        };

        let stats = take(&mut ebpf, map_names::STATS)?;
        let execs_before = counters::execs(&stats).map_err(map_error(map_names::STATS))?;
        let (failed_execs, attached) =
            failed_execs::attach(&mut ebpf, &btf, &kernel.release, options.failed_execs);
        let failed = attached
            .map(|(hook, fds)| {
                failed_execs::FailedCounters::new(&mut ebpf, hook, fds, execs_before)
            })
            .transpose()?;

        let suppressions = Suppressions::take(&mut ebpf, &options.suppression, lanes)?;
        let [execs, ..] = programs::EXEC;
        let [exits, ..] = programs::EXIT;
        let exits = options.exit_events.then(|| exits.fd(&ebpf)).transpose()?;
        let execs = execs.fd(&ebpf)?;
        let output = Output {
            counters: Counters::new(stats, lanes, execs, exits, failed, suppressions)?,
            ring: take(&mut ebpf, map_names::RING)?,
        };
        let probes = Self {
            scope,
            net_ns: config.net_ns,
            targets: take(&mut ebpf, map_names::TARGETS)?,
            evidence: take(&mut ebpf, map_names::EVIDENCE)?,
            end_checks,
            control: take(&mut ebpf, map_names::CONTROL)?,
            generation: 0,
            discovery: false,
            failed_execs,
            _ebpf: ebpf,
        };
        Ok((probes, output))
    }

    /// The sidecar's own namespace and the pod's cgroup.
    pub(crate) fn scope(&self) -> &SidecarScope {
        &self.scope
    }

    /// Inode number of the sidecar's network namespace.
    pub(crate) fn net_ns(&self) -> u32 {
        self.net_ns
    }

    /// How failed execs are recorded.
    pub(crate) fn failed_execs(&self) -> &FailedExecs {
        &self.failed_execs
    }

    /// Lets namespaces of the pod become targets at their first exec.
    ///
    /// # Errors
    /// If the kernel refuses to change the map.
    pub(crate) fn discover(&mut self) -> Result<(), MapError> {
        self.discovery = true;
        self.decide_anew()
    }

    /// Makes `id` a target. After the return, every exec in it is recorded or counted.
    ///
    /// # Errors
    /// If the kernel refuses to change the map, which has room for 1,024 targets.
    pub(crate) fn add_target(&mut self, id: NsId, state: NsState) -> Result<(), MapError> {
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
    pub(crate) fn remove_target(&mut self, id: NsId) -> Result<(), MapError> {
        self.targets.remove(&cast::<NsId, [u64; 2]>(id))?;
        self.decide_anew()
    }

    /// The targets.
    pub(crate) fn targets(&self) -> Vec<Namespace> {
        known(&self.targets)
    }

    /// Namespaces of the pod, or below a target, in which an exec was seen.
    pub(crate) fn evidence(&self) -> Vec<Namespace> {
        known(&self.evidence)
    }

    /// Whether the namespace of `target` has no process, except perhaps its ending reaper, and
    /// cannot get one.
    ///
    /// # Errors
    /// If that is unknown.
    pub(crate) fn has_ended(&mut self, target: &Namespace) -> Result<bool, EndUnknown> {
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

/// The entries of a map of namespaces. An entry that is removed meanwhile is omitted.
fn known(map: &Namespaces) -> Vec<Namespace> {
    map.iter()
        .flatten()
        .map(|(id, state)| Namespace {
            id: cast(id),
            state: cast(state),
        })
        .collect()
}
