//! Flags about what is recorded, and how.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use clap::Args;
use exectrail_preflight::sizes::SizeArgs;
use exectrail_proof::Signer;

use super::{LabelArgs, SuppressionArgs};
use crate::{
    config::{
        self, Checkpoints, Config, Hooks, LogLevel, OutputFormat, SinkPath, Tracing, ValueError,
    },
    event::keys::{Fields, Key, KeySet},
    output::Labels,
    probes::Options,
    redaction::{Key as SecretKey, RedactMode, Redactor},
    telemetry::events::KeyReadable,
};

/// Flags about what is recorded, and how; common to the sidecar and `run`.
#[derive(Debug, Args)]
pub(crate) struct RecordingArgs {
    /// Labels of lines.
    #[command(flatten)]
    pub labels: LabelArgs,

    /// The sizes that determine memory, declared in preflight, which checks them.
    #[command(flatten)]
    pub sizes: SizeArgs,

    /// Record exits as well: status, signal, duration
    #[arg(
        long,
        env = "EXECTRAIL_EXIT_EVENTS",
        value_parser = config::truth
    )]
    pub exit_events: bool,

    /// Record failed execs as well: ENOENT along PATH, EACCES, ENOEXEC, E2BIG and others
    ///
    /// Without a value this is `fexit`, which costs other system calls nothing. Not every kernel
    /// has it, and a node has room for 36 to 40 sidecars with it. `sys-exit` has neither of these
    /// limits, but costs every system call of the node. `any` is `fexit` or, if the kernel refuses
    /// that, `sys-exit`. All of them need Linux 5.11. If the kernel refuses the hook, exectrail
    /// reports that and records no failed execs.
    #[arg(
        long,
        env = "EXECTRAIL_FAILED_EXECS",
        value_name = "HOOK",
        num_args = 0..=1,
        require_equals = true,
        default_value = "false",
        default_missing_value = "fexit",
        hide_default_value = true,
        value_parser = config::hooks
    )]
    pub failed_execs: Hooks,

    /// Keys of exec lines
    ///
    /// `exectrace` has the keys of exectrace only. `default` adds who executed what and from where.
    /// `all` adds the parent's argv and the working directory of every exec. `all` also adds the
    /// file's device, inode and number of links, and the filename on the stack if it was changed
    /// there.
    #[arg(
        long,
        env = "EXECTRAIL_FIELDS",
        value_name = "SET",
        default_value = "default"
    )]
    pub fields: Fields,

    /// Leave out this key of exec lines. May be repeated; in the variable, separated by commas
    ///
    /// Paths, the terminal, gained capabilities, cgroup names and the filename on the stack are
    /// read in the kernel only if a key needs them.
    #[arg(
        long,
        env = "EXECTRAIL_OMIT",
        value_name = "KEY",
        value_delimiter = ','
    )]
    pub omit: Vec<Key>,

    /// What is suppressed.
    #[command(flatten)]
    pub suppression: SuppressionArgs,

    /// Write `[redacted]` instead of secrets in command lines
    ///
    /// The markers are listed in the key `redacted` of each line. See docs/secrets.md for what is
    /// covered, and what is not.
    #[arg(
        long,
        env = "EXECTRAIL_REDACT",
        value_name = "WHAT",
        default_value = "off"
    )]
    pub redact: RedactMode,

    /// File with a key of at least 32 bytes; equal secrets then have equal ids in `redacted`
    ///
    /// It is read once, at the start. Only root should be able to read it: with the key, a guess of
    /// a secret can be tested.
    #[arg(long, env = "EXECTRAIL_REDACT_KEY", value_name = "FILE")]
    pub redact_key: Option<PathBuf>,

    /// How often to write a checkpoint, with all counts and the hash of all lines, or `off`
    ///
    /// With checkpoints, `exectrail verify` finds lines that were removed or changed later.
    /// `--output text` has none.
    #[arg(
        long,
        env = "EXECTRAIL_CHECKPOINT",
        value_name = "DURATION",
        default_value = "60s",
        value_parser = config::checkpoints
    )]
    pub checkpoint: Checkpoints,

    /// Sign each checkpoint with this private key: Ed25519 in PEM (PKCS#8)
    ///
    /// Make the key with `openssl genpkey -algorithm ed25519 -out key.pem`. Make the public key for
    /// `exectrail verify --key` with `openssl pkey -in key.pem -pubout -out public.pem`. The
    /// workspace must not be able to read the file of the private key.
    #[arg(long, env = "EXECTRAIL_SIGN_KEY", value_name = "FILE")]
    pub sign_key: Option<PathBuf>,

    /// Maximum length of a line: a longer argv continues in `exec_argv` lines
    ///
    /// Container runtimes, journald and most collectors divide, cut or drop longer lines. With
    /// `--fields exectrace`, and in `--output text`, there are no `exec_argv` lines, and a longer
    /// line is cut.
    #[arg(
        long,
        env = "EXECTRAIL_MAX_LINE_BYTES",
        value_name = "BYTES",
        default_value = "16000",
        value_parser = config::line_bytes
    )]
    pub max_line_bytes: u32,

    /// Minimum level of diagnostics
    #[arg(
        long,
        env = "EXECTRAIL_LOG_LEVEL",
        value_name = "LEVEL",
        default_value = "info"
    )]
    pub log_level: LogLevel,
}

impl RecordingArgs {
    /// The checked configuration of `run`, which waits for one announcement on the loopback
    /// address. For the sidecar, [`SidecarArgs::config`] replaces some of its values.
    ///
    /// # Errors
    /// - A value in the environment is invalid.
    /// - A file cannot be used.
    /// - Values of flags do not go together.
    ///
    /// [`SidecarArgs::config`]: super::SidecarArgs::config
    pub(super) fn config(
        &self,
        output: OutputFormat,
        sink: SinkPath,
    ) -> Result<Config, ValueError> {
        let keys = self.keys();
        let Checkpoints(checkpoints) = self.checkpoint;
        let checkpoints = checkpoints.filter(|_| output == OutputFormat::Json);
        let signer = self.sign_key.as_deref().map(Signer::open).transpose()?;
        if signer.is_some() && checkpoints.is_none() {
            return Err(ValueError::NothingToSign);
        }
        let longest_line = self.max_line_bytes as usize;
        let labels = self.labels.sources()?;
        // Labels from label files are checked when the files are read.
        Labels::within(&labels.flags, longest_line)?;
        Ok(Config {
            init_address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            // The command announces itself at `init_address`.
            must_bind: true,
            metrics_address: None,
            startup_timeout: Duration::ZERO,
            refusal_grace: Duration::ZERO,
            tracing: Tracing {
                probes: Options {
                    ring_bytes: self.sizes.ring_bytes,
                    max_argv_bytes: self.sizes.max_argv_bytes,
                    exit_events: self.exit_events,
                    failed_execs: self.failed_execs.0,
                    fields: keys.probe_fields(),
                    suppression: self.suppression.checked(longest_line)?,
                },
                use_local_pidns: false,
                announced_only: true,
                // The command inherits the capabilities of its caller.
                drop_privileges: false,
                state_dir: None,
                node: None,
                restarts: false,
            },
            labels,
            keys,
            longest_line,
            redactor: self.redactor()?,
            output,
            screen: None,
            is_quiet: false,
            sink,
            checkpoints,
            signer,
        })
    }

    /// The keys of exec lines.
    fn keys(&self) -> KeySet {
        let omitted = self.omit.iter();
        omitted.fold(KeySet::of(self.fields), |keys, key| keys.without(*key))
    }

    /// What redacts secrets; reads the key.
    fn redactor(&self) -> Result<Option<Redactor>, ValueError> {
        let key = match &self.redact_key {
            None => None,
            Some(_) if self.redact == RedactMode::Off => return Err(ValueError::KeyWithoutUse),
            Some(path) => Some(SecretKey::read(path)?),
        };
        if let (Some(path), Some(key)) = (&self.redact_key, &key)
            && key.readable_by_others
        {
            KeyReadable { path }.emit();
        }
        Ok(Redactor::new(self.redact)?.map(|redactor| redactor.keyed(key)))
    }
}
