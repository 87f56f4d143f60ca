//! The command line, which `exectrail-preflight` and `exectrail preflight` share.

use std::ffi::OsString;
use std::fs::{File, Permissions};
use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::checks::run;
use crate::format::{Format, Text};
use crate::options::{Options, Roots};
use crate::report::{Report, Verdict};
use crate::sizes::SizeArgs;
use crate::values;

/// Text of `--help` after the list of options.
const AFTER_HELP: &str = "\
Examples:
  exectrail-preflight                        can exectrail trace here?
  exectrail-preflight -v                     the same, with all evidence
  exectrail-preflight --format json | jq '.checks[] | select(.verdict == \"unmet\")'
  exectrail-preflight --format npd           as a node-problem-detector plugin
  exectrail-preflight --format nfd \\
      --output /etc/kubernetes/node-feature-discovery/features.d/exectrail
  exectrail-preflight --proc /host/proc --sys /host/sys --boot /host/boot

Exit codes:
  text, json   0 can trace, 1 cannot, 3 not known
  npd          0 can trace, 1 cannot, 3 not known
  nfd          0 the labels were written, whatever they say
  all          2 wrong usage, 4 the output could not be written
";

/// Checks whether this kernel and this container can run exectrail, and reports what to change if
/// they cannot.
///
/// It changes nothing on the node. It reads files in /proc, /sys and /boot, and tries to bind the
/// address given. It makes a few small BPF maps, and loads a few small BPF programs without
/// attaching them.
#[derive(Args, Clone, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct PreflightArgs {
    /// Format of the report
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,

    /// Write to FILE instead of standard output: to a temporary file, which is then renamed
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Show the evidence of all checks, also of those that are fine (text only)
    #[arg(long, short)]
    pub verbose: bool,

    /// When to use color (text only); NO_COLOR in the environment turns `auto` off
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    pub color: Color,

    /// Check that this address can be bound, for example 127.0.0.1:56123
    #[arg(
        long,
        env = "EXECTRAIL_INIT_ADDRESS",
        value_name = "ADDRESS",
        value_parser = values::address
    )]
    pub init_address: Option<SocketAddr>,

    /// Sizes that the memory limit must have room for.
    #[command(flatten)]
    pub sizes: SizeArgs,

    /// Repeat the checks and the report every SECONDS, for a DaemonSet
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub every: Option<u64>,

    /// Check whether exectrail can trace its own PID namespace
    #[arg(long, env = "EXECTRAIL_USE_LOCAL_PIDNS", value_parser = values::truth)]
    pub use_local_pidns: bool,

    /// Mount point of procfs
    #[arg(long, value_name = "DIR", default_value = "/proc")]
    pub proc: PathBuf,

    /// Mount point of sysfs
    #[arg(long, value_name = "DIR", default_value = "/sys")]
    pub sys: PathBuf,

    /// Directory of the kernels' configurations
    #[arg(long, value_name = "DIR", default_value = "/boot")]
    pub boot: PathBuf,
}

/// When to use color.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Color {
    /// Whether to use color on standard output, or in a file if `to_file`.
    fn on(self, to_file: bool, var: impl Fn(&str) -> Option<OsString>) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => {
                // https://no-color.org: set and not empty
                let refused = var("NO_COLOR").is_some_and(|value| !value.is_empty());
                let dumb = var("TERM").is_some_and(|term| term == "dumb");
                !to_file && !refused && !dumb && io::stdout().is_terminal()
            }
        }
    }
}

/// Makes the checks, writes the report, and returns the exit code that `--help` documents. With
/// `--every` it repeats this and never returns.
pub fn main(args: PreflightArgs) -> ExitCode {
    loop {
        let code = once(&args);
        let Some(seconds) = args.every else {
            return code;
        };
        std::thread::sleep(Duration::from_secs(seconds));
    }
}

fn once(args: &PreflightArgs) -> ExitCode {
    let report = run(&Options {
        roots: Roots {
            proc: args.proc.clone(),
            sys: args.sys.clone(),
            boot: args.boot.clone(),
        },
        init_address: args.init_address,
        ring_bytes: args.sizes.ring_bytes.into(),
        max_argv_bytes: args.sizes.max_argv_bytes.into(),
        local_pid_ns: args.use_local_pidns,
    });
    let text = match args.format {
        Format::Text => {
            let color = args
                .color
                .on(args.output.is_some(), |name| std::env::var_os(name));
            report.text(Text {
                color,
                verbose: args.verbose,
            })
        }
        format => report.format(format),
    };
    let written = match &args.output {
        Some(path) => replace(path, text.as_bytes()),
        None => print(text.as_bytes()),
    };
    if let Err(error) = written {
        let place = match &args.output {
            Some(path) => path.display().to_string(),
            None => "standard output".to_owned(),
        };
        // If standard error fails too, the error cannot be reported.
        let _ = writeln!(io::stderr(), "error: could not write to {place}: {error}");
        return ExitCode::from(4);
    }
    exit_code(args.format, &report)
}

fn exit_code(format: Format, report: &Report) -> ExitCode {
    match (format, report.verdict()) {
        // The labels give the verdict; with a failure, Kubernetes would only restart the pod that
        // writes them.
        (Format::Nfd, _) => ExitCode::SUCCESS,
        (_, Verdict::Unmet) => ExitCode::from(1),
        (_, Verdict::Unknown) => ExitCode::from(3),
        _ => ExitCode::SUCCESS,
    }
}

/// Prints the report. If the reader of the output stops early, as in `| head`, that is not a
/// failure.
fn print(text: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Replaces the file with one that has `text`: no reader sees half a file. The text is written to a
/// temporary file in the same directory, and this file is then renamed. Until then its name begins
/// with a dot, so node-feature-discovery ignores it. Devices and pipes are written directly:
/// renaming would replace `/dev/null`, for example, with a file. A link is followed if its target
/// exists.
fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let path = &path.canonicalize().unwrap_or_else(|_| path.to_owned());
    match path.metadata() {
        Ok(there) if there.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
        Ok(there) if !there.is_file() => {
            return File::options().write(true).open(path)?.write_all(text);
        }
        _ => {}
    }
    let dir = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    let mut file = tempfile::Builder::new()
        .prefix(".exectrail-preflight-")
        .permissions(Permissions::from_mode(0o644))
        .tempfile_in(dir)?;
    file.write_all(text)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}
