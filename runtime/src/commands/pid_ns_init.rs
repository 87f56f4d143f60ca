//! `exectrail pid-ns-init`: the processes between `exectrail run` and its command. The first
//! creates a PID namespace. The second is the namespace's first process. The third announces the
//! namespace and executes the command once tracing is on.
//!
//! A first process ignores signals that it does not handle, and inherits orphans. So a command that
//! does not expect this must not be a first process.

use std::{
    ffi::OsString,
    io,
    os::unix::process::CommandExt as _,
    process::{Command, ExitCode},
    time::Duration,
};

use rustix::{
    mount::{MountFlags, MountPropagationFlags, mount, mount_change},
    process::{Signal, set_parent_process_death_signal},
    thread::{UnshareFlags, unshare_unsafe},
};

use super::announce;
use crate::{
    cli::{PidNsInitArgs, Stage},
    process::{
        exit_code, exit_code_of, report,
        signals::{Signals, unblocked_in},
        supervise::{shell_status, supervise},
        terminal::Terminal,
        this_program, user,
    },
};

/// Time limit of the announcement. The tracing process runs already, and answers at once.
const ANNOUNCE_TIME: Duration = Duration::from_secs(60);

/// Why a stage failed.
#[derive(Debug, thiserror::Error)]
enum InitError {
    #[error("cannot create a PID namespace: {0}; run as root, with CAP_SYS_ADMIN")]
    PidNamespace(rustix::io::Errno),
    #[error("cannot mount /proc for the PID namespace: {0}")]
    Mount(rustix::io::Errno),
    #[error("cannot set up signals: {0}")]
    Signals(io::Error),
    #[error("cannot set up: {0}")]
    Runtime(io::Error),
    #[error("cannot start this program again: {0}")]
    Start(io::Error),
    #[error("cannot wait for a child: {0}")]
    Wait(io::Error),
    #[error(transparent)]
    Announce(#[from] announce::AnnounceError),
    #[error(transparent)]
    User(#[from] user::UserError),
    #[error("cannot execute {command:?}: {source}")]
    Exec {
        command: OsString,
        source: io::Error,
    },
}

/// Runs one of the three stages.
pub(crate) fn main(args: &PidNsInitArgs) -> ExitCode {
    let ended = match args.stage {
        Stage::Namespace => make_namespace(args),
        Stage::First => be_first(args),
        Stage::Command => become_command(args),
    };
    ended.unwrap_or_else(|error| {
        report(&format!("exectrail run: {error}"));
        match error {
            InitError::Exec { source, .. } => exit_code_of(&source),
            InitError::Announce(error) => error.exit_code(),
            _ => ExitCode::FAILURE,
        }
    })
}

fn make_namespace(args: &PidNsInitArgs) -> Result<ExitCode, InitError> {
    // SAFETY: unsharing namespaces does not affect the memory, files and signals of this process's
    // only thread.
    unsafe { unshare_unsafe(UnshareFlags::NEWPID | UnshareFlags::NEWNS) }
        .map_err(InitError::PidNamespace)?;
    // The child starts with its signals blocked, so that no early signal is lost.
    look_after(own_group_without_terminal(next_stage(args, Stage::First)))
}

fn be_first(args: &PidNsInitArgs) -> Result<ExitCode, InitError> {
    let flags = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", flags).map_err(InitError::Mount)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("proc", "/proc", "proc", flags, None).map_err(InitError::Mount)?;
    let mut command = next_stage(args, Stage::Command);
    unblocked_in(&mut command);
    // The command stays in the process group of its parent: the leader of a group cannot create a
    // session.
    look_after(command)
}

/// This program as a later stage.
fn next_stage(args: &PidNsInitArgs, stage: Stage) -> Command {
    start(
        args.init_address,
        stage,
        args.user.as_deref(),
        &args.command,
    )
}

/// This program as a stage.
pub(super) fn start(
    address: std::net::SocketAddr,
    stage: Stage,
    user: Option<&str>,
    command: &[OsString],
) -> Command {
    let mut program = this_program();
    program
        .args(["pid-ns-init", "--stage", stage.name()])
        .arg(format!("--init-address={address}"))
        .args(user.map(|user| format!("--user={user}")))
        .arg("--")
        .args(command);
    program
}

/// With a terminal, shells manage the process groups, so the command stays in its caller's group.
/// Without a terminal, the command gets another group: a signal to the caller's whole group then
/// reaches the command only once.
pub(super) fn own_group_without_terminal(mut command: Command) -> Command {
    if Terminal::controlling().is_none() {
        command.process_group(0);
    }
    command
}

/// Starts the child and supervises it; returns its exit code.
fn look_after(mut command: Command) -> Result<ExitCode, InitError> {
    // This process is killed when its parent ends, so that nothing continues untraced.
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| InitError::Signals(error.into()))?;
    let signals = Signals::block().map_err(InitError::Signals)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(InitError::Runtime)?;
    runtime.block_on(async {
        let signals = signals.into_stream().map_err(InitError::Signals)?;
        let child = command.spawn().map_err(InitError::Start)?;
        let status = supervise(&child, &signals).await.map_err(InitError::Wait)?;
        Ok(exit_code(shell_status(status)))
    })
}

fn become_command(args: &PidNsInitArgs) -> Result<ExitCode, InitError> {
    // The look-up of the user may start programs that are not the command's (getent, id), so it
    // comes before tracing.
    let user = user::wanted(args.user.as_deref())?;
    announce::announce(args.init_address, ANNOUNCE_TIME)?;
    // The command line requires at least one word.
    let name = args.command.first().cloned().unwrap_or_default();
    let mut command = Command::new(&name);
    command.args(args.command.iter().skip(1));
    if let Some(user) = user {
        user.describe_in(&mut command);
        user.assume()?;
    }
    let source = command.exec();
    Err(InitError::Exec {
        command: name,
        source,
    })
}
