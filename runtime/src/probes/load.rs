//! Loads the object: sets the constants of the probes and the sizes of the maps.

use aya::{Ebpf, VerifierLogLevel, util::nr_cpus};
use bytemuck::bytes_of;
use exectrail_common::{
    exec_calls::CALLS,
    map_memory::early_slots,
    map_names,
    probe_config::ProbeConfig,
    suppression::MAX_BUCKETS,
    target::{DECISION_SLOTS, DISMISSAL_SLOTS},
};
use exectrail_preflight::Kernel;

use super::{
    error::AttachError, failed_execs, loader, object::object, options::Options, probe_config,
};
use crate::suppression::rate;

/// Loads the object for `lanes` lanes; no program is attached. Returns the probes' configuration,
/// too.
pub(super) fn load(
    kernel: &Kernel,
    options: &Options,
    lanes: u32,
) -> Result<(Ebpf, ProbeConfig), AttachError> {
    let cpus = nr_cpus().map_err(|(path, source)| AttachError::Read {
        path: path.into(),
        source,
    })?;
    let config = probe_config::of(kernel, options, lanes, cpus)?;
    let rules = options.suppression.rules.for_probes();
    let rate = options
        .suppression
        .rate
        .map(rate::Limit::for_probes)
        .unwrap_or_default();
    let exec_calls = failed_execs::exec_calls();
    let mut loader = loader::without_kernel_types();
    loader
        .btf(None)
        .verifier_log_level(verifier_log_level())
        .override_global("EXEC_CALLS", bytes_of(&exec_calls), true)
        .override_global("RULES", bytes_of(&rules), true)
        .override_global("RATE", bytes_of(&rate), true);
    for (map, entries) in sizes(options, lanes, cpus) {
        loader.map_max_entries(map, entries);
    }
    let ebpf = loader.load(&object(&kernel.offsets, &config)?)?;
    Ok((ebpf, config))
}

/// The maps whose sizes depend on the options, the lanes and the CPUs, with their numbers of
/// entries. For the ring, the number is its bytes. A feature that is off takes hardly any memory.
fn sizes(options: &Options, lanes: u32, cpus: usize) -> impl Iterator<Item = (&'static str, u32)> {
    let calls = if options.failed_execs.is_empty() {
        0
    } else {
        CALLS
    };
    let rule_lanes = if options.suppression.rules.is_empty() {
        1
    } else {
        lanes
    };
    let buckets = options.suppression.rate.map_or(1, |_| MAX_BUCKETS);
    // In the object, `exec` and `exit` have a table each. One table is enough if `exit` records
    // nothing. One table is also enough with one lane, because no program then preempts another.
    let is_one_table = lanes == 1 || !options.exit_events;
    let always = [
        (map_names::RING, options.ring_bytes),
        (map_names::STATS, lanes),
        (map_names::SCRATCH, lanes),
        (map_names::EARLY, early_slots(cpus as u64) * cpus as u32),
        (map_names::SUPPRESSED, rule_lanes),
        (map_names::FILENAME_KEY, rule_lanes),
        (map_names::BUCKETS, buckets),
        (map_names::FAILED, (calls * cpus).max(1) as u32),
        (map_names::FAILED_STATS, calls.max(1) as u32),
    ];
    let seen = (lanes == 1).then_some((map_names::SEEN, 1));
    let decisions = is_one_table.then_some((map_names::DECISIONS, DECISION_SLOTS));
    let dismissals = is_one_table.then_some((map_names::DISMISSALS, DISMISSAL_SLOTS));
    always
        .into_iter()
        .chain(seen)
        .chain(decisions)
        .chain(dismissals)
}

/// The verifier's log for a refused program has the reason. At the level `debug`, the log also has
/// each instruction that the verifier checked before. These are megabytes, which take minutes to
/// write on a slow machine.
fn verifier_log_level() -> VerifierLogLevel {
    if tracing::enabled!(tracing::Level::DEBUG) {
        VerifierLogLevel::VERBOSE | VerifierLogLevel::STATS
    } else {
        VerifierLogLevel::STATS
    }
}
