//! Starts the actors in order.

use std::net::SocketAddr;

use actix::{Actor as _, Addr, Arbiter, MailboxError, Recipient};
use exectrail_preflight::Options as PreflightOptions;
use exectrail_proof::{Chain, Head};

use crate::{
    actors::{
        emitter::Emitter,
        init_listener::InitListener,
        label_files::LabelFiles,
        messages::{
            ActorDied, Answer, Attach, Open, Publish, RunChecks, SetReader, WorkspaceTraced,
        },
        metrics_listener::MetricsListener,
        preflight::{Preflight, unmet},
        ring_reader::RingReader,
        tracer::Tracer,
    },
    config::Config,
    labels::LabelReader,
    output::{
        Labels, Writer,
        line_sink::LineSink,
        sink::{GiveUp, Sink},
    },
    stream::Stream,
    telemetry::events::LabelKeysAbsent,
};

/// The actors that are running.
pub(super) struct Actors {
    pub(super) label_files: Addr<LabelFiles>,
    pub(super) tracer: Addr<Tracer>,
    pub(super) metrics: Addr<MetricsListener>,
    pub(super) listener: Addr<InitListener>,
    pub(super) reader: Addr<RingReader>,
    pub(super) emitter: Addr<Emitter>,
}

/// Why the start failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    /// The reasons, each with its remedy if one is known.
    #[error("{}", .0.join("\n"))]
    Impossible(Vec<String>),
    #[error("an actor does not answer: {0}")]
    Actor(#[from] MailboxError),
}

impl StartError {
    fn one(error: impl ToString) -> Self {
        Self::Impossible(vec![error.to_string()])
    }

    /// The reasons, each with its remedy if one is known.
    pub(super) fn reasons(self) -> Vec<String> {
        match self {
            Self::Impossible(reasons) => reasons,
            Self::Actor(_) => vec![self.to_string()],
        }
    }
}

/// Starts the actors in order.
pub(super) async fn start(
    config: Config,
    give_up: GiveUp,
    died: Recipient<ActorDied>,
    traced: Recipient<WorkspaceTraced>,
) -> Result<(Actors, Option<SocketAddr>), StartError> {
    // Preflight does not check the init address here: if the address is taken, the sidecar traces
    // anyway and retries the bind.
    let preflight = Preflight::new(PreflightOptions {
        ring_bytes: u64::from(config.tracing.probes.ring_bytes),
        max_argv_bytes: u64::from(config.tracing.probes.max_argv_bytes),
        local_pid_ns: config.tracing.use_local_pidns,
        ..PreflightOptions::default()
    })
    .start();
    let report = preflight.send(RunChecks).await?;
    let kernel = report
        .kernel()
        .filter(|_| report.unmet().next().is_none())
        .cloned()
        .ok_or_else(|| StartError::Impossible(unmet(&report)))?;

    let label_reader = LabelReader::open(config.labels).map_err(StartError::one)?;
    let longest = config.longest_line;
    let labels = Labels::within(&label_reader.labels(), longest).map_err(StartError::one)?;
    let keys = label_reader.absent_keys();
    if !keys.is_empty() {
        LabelKeysAbsent { keys: &keys }.emit();
    }
    let written = labels.text().to_owned();
    let sink = Sink::open(&config.sink, give_up).map_err(StartError::one)?;
    let chain = config.checkpoints.map(|_| Chain::new(Head::default()));
    let sink = LineSink::new(sink, chain);
    let writer = Writer::new(config.output, labels)
        .on_screen(config.screen)
        .quiet(config.is_quiet)
        .with_keys(config.keys)
        .bounded(config.longest_line)
        .overflowing(sink.overflow())
        .redacting(config.redactor)
        .signing(config.signer);
    let stream = Stream::new(writer)
        .suppressing(config.tracing.probes.suppression.clone())
        .bounded(config.tracing.probes.max_argv_bytes);
    let emitter = Emitter::new(stream, sink, config.checkpoints, traced, died.clone());
    let emitter = Emitter::start_in_arbiter(&Arbiter::new().handle(), |_| emitter);

    let tracer = Tracer::new(config.tracing, emitter.clone()).start();
    let attached = tracer
        .send(Attach(kernel))
        .await?
        .map_err(StartError::one)?;
    let reader = RingReader::new(attached.output, emitter.clone(), died);
    let reader = RingReader::start_in_arbiter(&Arbiter::new().handle(), |_| reader);
    tracer.do_send(SetReader(reader.clone().recipient()));

    let metrics = MetricsListener::default().start();
    if let Some(address) = config.metrics_address {
        metrics.send(Publish { address }).await?;
    }

    let listener = InitListener::default().start();
    let open = Open {
        address: config.init_address,
        answer: Answer::Ask(tracer.clone().recipient()),
        required: config.must_bind,
    };
    let address = listener.send(open).await?.map_err(StartError::one)?;
    let relabel = emitter.clone().recipient();
    let label_files = LabelFiles::new(label_reader, written, longest, relabel).start();
    let actors = Actors {
        label_files,
        tracer,
        metrics,
        listener,
        reader,
        emitter,
    };
    Ok((actors, address))
}
